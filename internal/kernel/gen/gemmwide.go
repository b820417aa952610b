package main

import "fmt"

// wideRows is the number of rows of the largest tile of the kernels with 512 bits. With two vectors a row it has 24
// accumulators, Z0 ...; then come the vectors of B and the broadcast A. Each element is the same chain of fused
// multiply-adds as with 256 bits, so the bits are the same.
const (
	wideRows         = 12
	zB0, zB1, zA     = 24, 25, 26
	rA4, rA8         = "BX", "R14"
	rRS3, rBStep     = "R8", "R10"
	kMask, wideLanes = "K1", 16
)

// wide is a tile of rows x 32 columns, from two panels. Of the vecs vectors of a row the last may be masked.
type wide struct {
	*asm
	rows, vecs int
	masked     bool
}

func z(n int) string { return fmt.Sprintf("Z%d", n) }

// gemmWide writes gemmTilesWide.
func gemmWide(a *asm) {
	a.tileKernels("gemmTilesWide", wideRows, wideTiles)
}

// wideTiles computes tiles of a number of rows.
func wideTiles(a *asm, rows int) {
	a.op("MOVQ", mem(argRS, rArgs), rRS)
	a.op("LEAQ", mem(0, rRS, rRS, "2"), rRS3)
	a.op("MOVQ", mem(argCS, rArgs), rCS)
	a.op("MOVQ", mem(argLDB, rArgs), rLDB)
	a.op("MOVQ", mem(argBStep, rArgs), rBStep)
	full, edge, high, done := a.label("panel"), a.label("edge"), a.label("high"), a.label("done")
	a.at(full)
	a.op("DECQ", mem(argPanels, rArgs))
	a.op("JLT", edge)
	wide{a, rows, 2, false}.column()
	a.op("LEAQ", mem(0, rBStep, rBStep, "1"), rCnt)
	a.op("ADDQ", rCnt, mem(argB, rArgs))
	a.op("ADDQ", "$128", mem(argC, rArgs))
	a.op("JMP", full)
	a.at(edge)
	a.op("MOVQ", mem(argWidth, rArgs), rCnt)
	a.op("TESTQ", rCnt, rCnt)
	a.op("JEQ", done)
	a.op("CMPQ", rCnt, fmt.Sprintf("$%d", wideLanes))
	a.op("JGT", high)
	wide{a, rows, 1, true}.edge()
	a.op("JMP", done)
	a.at(high)
	a.op("SUBQ", fmt.Sprintf("$%d", wideLanes), rCnt)
	wide{a, rows, 2, true}.edge()
	a.at(done)
	a.op("VZEROUPPER")
	a.op("RET")
}

// edge is column with a mask of as many ones as rCnt says.
func (t wide) edge() {
	t.op("MOVL", "$0xffff", rA0)
	t.op("BZHIL", rCnt, rA0, rA0)
	t.op("KMOVW", rA0, kMask)
	t.column()
}

// column computes the tiles of two panels, from top to bottom.
func (t wide) column() {
	next := t.label("tile")
	t.op("MOVQ", mem(argTiles, rArgs), rTiles)
	t.op("MOVQ", mem(argA, rArgs), rA)
	t.op("MOVQ", mem(argC, rArgs), rC)
	t.at(next)
	t.begin()
	t.op("MOVQ", rA, rA0)
	t.op("LEAQ", mem(0, rA, rRS, "4"), rA4)
	t.op("LEAQ", mem(0, rA, rRS, "8"), rA8)
	t.op("MOVQ", mem(argB, rArgs), rB)
	t.alongK(t.step)
	t.eachCell(func(v, acc int, at string) {
		if t.part(v) {
			t.op("VMOVUPS", z(acc), kMask, at)
		} else {
			t.op("VMOVUPS", z(acc), at)
		}
	})
	t.op("ADDQ", mem(argAStep, rArgs), rA)
	t.op("ADDQ", mem(argCStep, rArgs), rC)
	t.op("DECQ", rTiles)
	t.op("JNE", next)
}

// part tells whether vector v is masked.
func (t wide) part(v int) bool { return t.masked && v == t.vecs-1 }

// eachCell writes instructions for all vectors of C, row by row. It destroys rA0 and rA4.
func (t wide) eachCell(f func(v, acc int, at string)) {
	t.op("MOVQ", rC, rA0)
	t.op("MOVQ", mem(argLDC, rArgs), rA4)
	for r := range t.rows {
		for v := range t.vecs {
			f(v, 2*r+v, mem(64*v, rA0))
		}
		t.op("ADDQ", rA4, rA0)
	}
}

// load reads a vector of a panel or of C.
func (t wide) load(v, to int, at string) {
	if t.part(v) {
		t.op("VMOVUPS.Z", at, kMask, z(to))
	} else {
		t.op("VMOVUPS", at, z(to))
	}
}

// begin loads C, or zeros, into the accumulators.
func (t wide) begin() {
	zero, done := t.label("zero"), t.label("begun")
	t.op("CMPQ", mem(argLoad, rArgs), "$0")
	t.op("JEQ", zero)
	t.eachCell(t.load)
	t.op("JMP", done)
	t.at(zero)
	t.eachCell(func(_, acc int, at string) {
		t.op("PREFETCHT0", at)
		t.op("VPXORD", z(acc), z(acc), z(acc))
	})
	t.at(done)
}

// step adds one outer product.
func (t wide) step() {
	t.load(0, zB0, mem(0, rB))
	if t.vecs > 1 {
		t.load(1, zB1, mem(0, rB, rBStep, "1"))
	}
	t.op("ADDQ", rLDB, rB)
	for r := range t.rows {
		t.op("VBROADCASTSS", t.rowA(r), z(zA))
		for v := range t.vecs {
			t.op("VFMADD231PS", z(zB0+v), z(zA), z(2*r+v))
		}
	}
	for i, base := range []string{rA0, rA4, rA8} {
		if t.rows > 4*i {
			t.op("ADDQ", rCS, base)
		}
	}
}

// rowA is the address of row's element of A.
func (t wide) rowA(row int) string {
	base := []string{rA0, rA4, rA8}[row/4]
	switch row % 4 {
	case 0:
		return mem(0, base)
	case 3:
		return mem(0, base, rRS3, "1")
	default:
		return mem(0, base, rRS, fmt.Sprint(row%4))
	}
}
