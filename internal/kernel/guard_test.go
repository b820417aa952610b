//go:build linux

package kernel

import (
	"runtime/debug"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// arena is memory between two pages that may not be touched.
type arena struct{ mem []byte }

const page = 4096

func newArena(t testing.TB, pages int) *arena {
	t.Helper()
	all, err := unix.Mmap(-1, 0, (pages+2)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(all) })
	for _, guard := range [][]byte{all[:page], all[(pages+1)*page:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return &arena{all[page : (pages+1)*page]}
}

// slice returns n elements that end, or else begin, at a forbidden page.
func slice[T any](a *arena, n int, atEnd bool) []T {
	var zero T
	size := n * int(unsafe.Sizeof(zero))
	at := 0
	if atEnd {
		at = len(a.mem) - size
	}
	b := a.mem[at : at+size : at+size]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// caught runs f and reports a fault as an error of the test.
func caught(t *testing.T, name string, f func()) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: %v", name, r)
		}
	}()
	f()
}

// checkVector compares a kernel's bits with and without vector code, next to forbidden memory on either side.
func checkVector(t *testing.T, c vectorCase, rows, n int, arenas []*arena) {
	t.Helper()
	sizes := c.size(rows, n)
	want := make([][]float32, len(sizes))
	for i, l := range sizes {
		want[i] = make([]float32, l)
		fill(want[i], uint64(i+n), n%2 == 1)
	}
	plain(func() { c.run(rows, n, want) })
	for _, atEnd := range []bool{true, false} {
		got := make([][]float32, len(sizes))
		for i, l := range sizes {
			got[i] = slice[float32](arenas[i], l, atEnd)
			fill(got[i], uint64(i+n), n%2 == 1)
		}
		caught(t, c.name, func() { c.run(rows, n, got) })
		for i := range sizes {
			sameBits(t, c.name, got[i], want[i])
		}
	}
}

func TestVectorBits(t *testing.T) {
	var arenas []*arena
	for range 8 {
		arenas = append(arenas, newArena(t, 8))
	}
	for _, group := range vectorGroups {
		for _, c := range group.cases {
			t.Run(c.name, func(t *testing.T) {
				for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 40, 63, 64, 65, 100, 259} {
					for _, rows := range []int{0, 1, 2, 5, 9} {
						checkVector(t, c, rows, n, arenas)
					}
				}
			})
		}
	}
}

// TestFixedBits runs the kernels on integers next to forbidden memory, and against plain Go.
func TestFixedBits(t *testing.T) {
	ints, floats, bytes := newArena(t, 8), newArena(t, 8), newArena(t, 8)
	for n := range 70 {
		for _, atEnd := range []bool{true, false} {
			acc, g := slice[int64](ints, n, atEnd), slice[float32](floats, n, atEnd)
			fill(g, uint64(n), n%3 == 0)
			clear(acc)
			want := make([]int64, n)
			var top, wantTop uint32
			plain(func() { wantTop = FixedAccumulate(want, false, 20, g) })
			caught(t, "FixedAccumulate", func() { top = FixedAccumulate(acc, false, 20, g) })
			if top != wantTop || wantTop < 0x4d000000 && !slices.Equal(acc, want) {
				t.Fatalf("FixedAccumulate of %d: %x %v, want %x %v", n, top, acc, wantTop, want)
			}
			plain(func() { FixedAccumulatePair(want, true, 20, g, g) })
			caught(t, "FixedAccumulatePair", func() { FixedAccumulatePair(acc, true, 20, g, g) })
			if wantTop < 0x4d000000 && !slices.Equal(acc, want) {
				t.Fatalf("FixedAccumulatePair of %d: %v, want %v", n, acc, want)
			}
			caught(t, "FixedToFloat", func() { FixedToFloat(g, acc, 20) })
			for width := 1; width <= 8; width++ {
				b := slice[byte](bytes, n*width, atEnd)
				caught(t, "PackWidth", func() { PackWidth(acc) })
				caught(t, "PackInt64", func() { PackInt64(b, acc, width) })
				caught(t, "UnpackInt64", func() { UnpackInt64(acc, b, width) })
				caught(t, "UnpackAdd", func() { UnpackAdd(acc, b, width) })
			}
		}
	}
}

// TestColumnGuard runs the sums in double precision next to forbidden memory.
func TestColumnGuard(t *testing.T) {
	a, b, c, d := newArena(t, 8), newArena(t, 8), newArena(t, 8), newArena(t, 8)
	for n := 1; n < 40; n++ {
		for _, atEnd := range []bool{true, false} {
			x, y := slice[float32](a, 5*n, atEnd), slice[float32](b, 5*n, atEnd)
			sum, mean := slice[float64](c, n, atEnd), slice[float64](d, n, atEnd)
			caught(t, "ColumnSums", func() { ColumnSums(sum, x) })
			caught(t, "ColumnDots", func() { ColumnDots(sum, x, y) })
			caught(t, "ColumnSquares", func() { ColumnSquares(sum, x, mean) })
		}
	}
}
