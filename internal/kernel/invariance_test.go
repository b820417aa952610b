package kernel

import (
	"math"
	"runtime"
	"sync"
	"testing"

	"lockstep/internal/rng"
)

// TestFMAHardware compares fma with the instruction over random bit patterns, where there is one.
func TestFMAHardware(t *testing.T) {
	s := rng.New(1, rng.Weights, 0, 0, 0)
	const n = 1024
	x, y, z, got := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	for range 500 {
		for i := range n {
			x[i], y[i] = math.Float32frombits(s.Uint32()), math.Float32frombits(s.Uint32())
			switch p := x[i] * y[i]; s.IntN(3) {
			case 0:
				z[i] = math.Float32frombits(s.Uint32())
			case 1: // near the product, for cancellation and half-way cases
				z[i] = -math.Float32frombits(math.Float32bits(p) + uint32(s.IntN(9)) - 4)
			default:
				z[i] = p * float32(math.Ldexp(1, s.IntN(60)-30))
			}
		}
		copy(got, z)
		MulAdd(got, x, y)
		for i, v := range got {
			if w := fma(x[i], y[i], z[i]); math.Float32bits(w) != math.Float32bits(v) && (w == w || v == v) {
				t.Fatalf("fma(%x, %x, %x) = %x, the instruction gives %x", x[i], y[i], z[i], w, v)
			}
		}
	}
}

// TestRowsDoNotMatter computes products with any number of rows in a call, and by parts of k.
func TestRowsDoNotMatter(t *testing.T) {
	const m, n, k = 23, 37, 401
	a, b, want := random(m*k, 1), random(k*n, 2), make([]float32, m*n)
	ws := new(Workspace)
	Gemm(false, false, m, n, k, a, k, b, n, false, want, n, ws)
	got := make([]float32, m*n)
	for rows := 1; rows < m; rows++ {
		for i := 0; i < m; i += rows {
			Gemm(false, false, min(rows, m-i), n, k, a[i*k:], k, b, n, false, got[i*n:], n, ws)
		}
		sameBits(t, "by rows", got, want)
	}
	for _, depth := range []int{1, 7, 100} {
		clear(got)
		for p := 0; p < k; p += depth {
			Gemm(false, false, m, n, min(depth, k-p), a[p:], k, b[p*n:], n, true, got, n, ws)
		}
		sameBits(t, "by parts of k", got, want)
	}
}

// TestLargeProducts covers what only large products have: copies and blocks.
func TestLargeProducts(t *testing.T) {
	ws := new(Workspace)
	for _, s := range [][3]int{{150, 131, 390}, {49, 170, 400}} {
		for v := range 8 {
			testGemm(t, v&1 != 0, v&2 != 0, s[0], s[1], s[2], v*3%5, v&4 != 0, ws)
		}
	}
	const m, n, k, ldc = 800_000, 6, 8, 7 // more than maxWork
	a, b, c := random(m*k, 1), random(k*n, 2), make([]float32, m*ldc)
	Gemm(false, false, m, n, k, a, k, b, n, false, c, ldc, ws)
	want := make([]float32, 1000*ldc)
	for i := 0; i < m; i += 1000 {
		Gemm(false, false, 1000, n, k, a[i*k:], k, b, n, false, want, ldc, ws)
		sameBits(t, "maxWork", c[i*ldc:(i+1000)*ldc], want)
	}
}

// TestSharedPacked uses one packed matrix from many goroutines, on any number of processors.
func TestSharedPacked(t *testing.T) {
	const m, n, k = 30, 50, 60
	a, b, want := random(m*k, 1), random(k*n, 2), make([]float32, m*n)
	gemmReference(false, false, m, n, k, a, k, b, n, false, want, n)
	var p Packed
	p.Pack(false, k, n, b, n)
	for _, procs := range []int{1, 2, 8} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		results := make([][]float32, 8)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				results[i] = make([]float32, m*n)
				GemmPacked(false, m, a, k, &p, false, results[i], n, new(Workspace))
			})
		}
		wg.Wait()
		for _, got := range results {
			sameBits(t, "shared", got, want)
		}
	}
}

// TestPanics checks that programmer errors do not pass.
func TestPanics(t *testing.T) {
	ws := new(Workspace)
	x := make([]float32, 12)
	for name, f := range map[string]func(){
		"short a":       func() { Gemm(false, false, 4, 1, 4, x, 4, x, 1, false, x, 1, ws) },
		"short b":       func() { Gemm(false, true, 1, 4, 4, x, 4, x, 4, false, x, 4, ws) },
		"short c":       func() { Gemm(false, false, 4, 4, 1, x, 1, x, 4, false, x, 4, ws) },
		"lda":           func() { Gemm(false, false, 2, 2, 3, x, 2, x, 2, false, x, 2, ws) },
		"negative":      func() { Gemm(false, false, -1, 2, 3, x, 3, x, 2, false, x, 2, ws) },
		"short x":       func() { Exp(x, x[:11]) },
		"short y":       func() { Add(x, x, x[:11]) },
		"rows":          func() { AddBias(x, x[:5]) },
		"window":        func() { NewWindow([2]int{3, 3}, [2]int{4, 1}, [2]int{1, 1}, [2]int{1, 1}, false) },
		"stride":        func() { NewWindow([2]int{3, 3}, [2]int{1, 1}, [2]int{0, 1}, [2]int{1, 1}, false) },
		"width":         func() { PackInt64(make([]byte, 100), make([]int64, 2), 9) },
		"short packed":  func() { UnpackAdd(make([]int64, 3), make([]byte, 14), 5) },
		"short acc":     func() { FixedAccumulate(make([]int64, 11), false, 1, x) },
		"groups":        func() { Conv2D(x, x, x, 1, &Conv{Window{}, 3, 2, 2}, ws) },
		"short m":       func() { StepAdam(x, x[:3], x, nil, x, &Adam{}, 1) },
		"short columns": func() { ColumnDots(make([]float64, 3), x, x[:9]) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
