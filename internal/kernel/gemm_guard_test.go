//go:build linux

package kernel

import (
	"fmt"
	"slices"
	"testing"
)

// FuzzGemm compares shapes and strides with the definition, next to forbidden memory.
func FuzzGemm(f *testing.F) {
	for i, s := range [][3]uint16{{1, 1, 1}, {6, 16, 8}, {7, 17, 9}, {50, 10, 40}, {16, 40, 400}, {61, 3, 5}, {13, 33, 0},
		{150, 130, 3}, {8, 130, 390}, {0, 183, 390}} {
		for flags := range uint8(8) {
			f.Add(s[0], s[1], s[2], flags, uint8(i*int(flags)%7))
		}
	}
	ws := new(Workspace)
	f.Fuzz(func(t *testing.T, m, n, k uint16, flags, pad uint8) {
		m, n, k, pad = m%200, n%200, k%500, pad%20
		if int(m)*int(n)*int(k) > 400000 {
			t.Skip("too large")
		}
		guardedGemm(t, flags&1 != 0, flags&2 != 0, int(m), int(n), int(k), int(pad), flags&4 != 0, ws)
	})
}

func guardedGemm(t *testing.T, transA, transB bool, m, n, k, pad int, accumulate bool, ws *Workspace) {
	shape := func(trans bool, r, c int) (ld, size int) {
		if trans {
			r, c = c, r
		}
		return c + pad, max(0, (r-1)*(c+pad)+c)
	}
	lda, sizeA := shape(transA, m, k)
	ldb, sizeB := shape(transB, k, n)
	ldc, sizeC := shape(false, m, n)
	pages := (max(sizeA, sizeB, sizeC)*4 + page) / page
	name := fmt.Sprintf("Gemm(%v, %v, %d, %d, %d) pad %d accumulate %v", transA, transB, m, n, k, pad, accumulate)
	for _, atEnd := range []bool{true, false} {
		a, b, c := slice[float32](newArena(t, pages), sizeA, atEnd), slice[float32](newArena(t, pages), sizeB, atEnd),
			slice[float32](newArena(t, pages), sizeC, atEnd)
		fill(a, 1, pad%3 == 1)
		fill(b, 2, pad%3 == 1)
		fill(c, 3, false)
		before, want := slices.Clone(c), slices.Clone(c)
		gemmReference(transA, transB, m, n, k, a, lda, b, ldb, accumulate, want, ldc)
		eachWidth(func(width string) {
			copy(c, before)
			caught(t, width+" "+name, func() { Gemm(transA, transB, m, n, k, a, lda, b, ldb, accumulate, c, ldc, ws) })
			sameBits(t, width+" "+name, c, want)
		})
	}
}

// TestConvGuard runs convolutions and poolings next to forbidden memory; their values are tested elsewhere.
func TestConvGuard(t *testing.T) {
	ws := new(Workspace)
	var arenas []*arena
	for range 4 {
		arenas = append(arenas, newArena(t, 64))
	}
	for _, g := range convCases() {
		for _, atEnd := range []bool{true, false} {
			name := fmt.Sprintf("%+v", g)
			x, y := slice[float32](arenas[0], g.H*g.W*g.Channels, atEnd), slice[float32](arenas[1], g.Positions()*g.Filters, atEnd)
			kernel := slice[float32](arenas[2], g.depth()*g.Filters, atEnd)
			col := slice[float32](arenas[3], g.Positions()*g.KH*g.KW*g.Channels, atEnd)
			caught(t, "Conv2D "+name, func() { Conv2D(y, x, kernel, 1, &g, ws) })
			caught(t, "Conv2DGradKernel "+name, func() { Conv2DGradKernel(kernel, y, x, 1, &g, ws) })
			caught(t, "Conv2DGradInput "+name, func() { Conv2DGradInput(x, y, kernel, 1, &g, ws) })
			caught(t, "Im2col "+name, func() { Im2col(col, x, g.Channels, 0, g.Channels, &g.Window, 0, g.Positions()) })
			caught(t, "Col2im "+name, func() { Col2im(x, col, g.Channels, 0, g.Channels, &g.Window, 0, g.Positions()) })
			if g.DilationH != 1 || g.DilationW != 1 {
				continue
			}
			y = slice[float32](arenas[1], g.Positions()*g.Channels, atEnd)
			arg := slice[int32](arenas[2], len(y), atEnd)
			caught(t, "MaxPool "+name, func() { MaxPool(y, arg, x, 1, g.Channels, &g.Window) })
			caught(t, "MaxPoolGrad "+name, func() { MaxPoolGrad(x, y, arg) })
			caught(t, "AvgPool "+name, func() { AvgPool(y, x, 1, g.Channels, &g.Window) })
			caught(t, "AvgPoolGrad "+name, func() { AvgPoolGrad(x, y, 1, g.Channels, &g.Window) })
		}
	}
}
