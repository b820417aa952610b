package kernel

import (
	"fmt"
	"math"
	"testing"

	"lockstep/internal/rng"
)

// random returns n numbers of mixed sign and size from a stream.
func random(n int, seed uint64) []float32 {
	s := rng.New(seed, rng.Weights, 0, 0, 0)
	x := make([]float32, n)
	for i := range x {
		x[i] = (s.Float32() - 0.5) * float32(math.Ldexp(1, s.IntN(6)))
	}
	return x
}

// gemmReference is the loop of Gemm's comment.
func gemmReference(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int,
	accumulate bool, c []float32, ldc int) {
	for i := range m {
		for j := range n {
			acc := float32(0)
			if accumulate {
				acc = c[i*ldc+j]
			}
			for p := range k {
				at, bt := i*lda+p, p*ldb+j
				if transA {
					at = p*lda + i
				}
				if transB {
					bt = j*ldb + p
				}
				acc = fma(a[at], b[bt], acc)
			}
			c[i*ldc+j] = acc
		}
	}
}

func TestGemm(t *testing.T) {
	ws := new(Workspace)
	for _, k := range []int{0, 1, 3, 8, 27, 401, 800} {
		for _, m := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 50} {
			for _, n := range []int{0, 1, 3, 8, 10, 15, 16, 17, 31, 32, 40, 48} {
				if m*n*k > 200000 {
					continue
				}
				for v := range 8 {
					testGemm(t, v&1 != 0, v&2 != 0, m, n, k, v*3%5, v&4 != 0, ws)
				}
			}
		}
	}
}

func testGemm(t *testing.T, transA, transB bool, m, n, k, pad int, accumulate bool, ws *Workspace) {
	t.Helper()
	ra, ca, rb, cb := m, k, k, n
	if transA {
		ra, ca = k, m
	}
	if transB {
		rb, cb = n, k
	}
	lda, ldb, ldc := ca+pad, cb+pad, n+pad
	a, b, c := random(ra*lda, 1), random(rb*ldb, 2), random(m*ldc, 3)
	want := append([]float32(nil), c...)
	gemmReference(transA, transB, m, n, k, a, lda, b, ldb, accumulate, want, ldc)
	got := append([]float32(nil), c...)
	name := fmt.Sprintf("Gemm(%v, %v, %d, %d, %d) pad %d accumulate %v", transA, transB, m, n, k, pad, accumulate)
	var p Packed
	p.Pack(transB, k, n, b, ldb)
	eachWidth(func(width string) {
		copy(got, c)
		Gemm(transA, transB, m, n, k, a, lda, b, ldb, accumulate, got, ldc, ws)
		sameBits(t, width+" "+name, got, want)
		copy(got, c)
		GemmPacked(transA, m, a, lda, &p, accumulate, got, ldc, ws)
		sameBits(t, width+" packed "+name, got, want)
	})
}

// sameBits compares bit for bit, NaNs being equal.
func sameBits(t *testing.T, name string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s: element %d is %x, want %x", name, i, got[i], want[i])
		}
	}
}

func BenchmarkGemm(b *testing.B) {
	for _, s := range []struct{ m, n, k int }{{16, 10, 784}, {16, 128, 784}, {32, 128, 784}, {64, 10, 128}, {32, 10, 512},
		{64, 64, 64}, {128, 32, 27},
		{128, 64, 288}, {128, 128, 128}, {128, 512, 784}, {784, 32, 9}, {256, 256, 256}, {1024, 1024, 1024}} {
		for v := range 4 {
			if v == 3 {
				continue
			}
			transA, transB := v&1 != 0, v&2 != 0
			b.Run(fmt.Sprintf("%dx%dx%d/%s", s.m, s.n, s.k, [...]string{"NN", "TN", "NT"}[v]), func(b *testing.B) {
				x, y, z := random(s.m*s.k, 1), random(s.k*s.n, 2), make([]float32, s.m*s.n)
				lda, ldb := s.k, s.n
				if transA {
					lda = s.m
				}
				if transB {
					ldb = s.k
				}
				ws := new(Workspace)
				Gemm(transA, transB, s.m, s.n, s.k, x, lda, y, ldb, false, z, s.n, ws)
				b.ReportAllocs()
				for b.Loop() {
					Gemm(transA, transB, s.m, s.n, s.k, x, lda, y, ldb, false, z, s.n, ws)
				}
				b.ReportMetric(2*float64(s.m*s.n*s.k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
