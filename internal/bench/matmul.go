// Package bench measures what a user would measure: matrix products, and training through the real job path. Figures
// depend on the machine and on what else it does; compare them only within one run.
package bench

import (
	"fmt"
	"io"
	"slices"
	"time"

	"lockstep/internal/kernel"
	"lockstep/internal/rng"
)

// Shape is a product's: C [m x n] = A [m x k] * B [k x n].
type Shape struct{ M, N, K int }

// Shapes are those of dense and convolutional nets of everyday size, and a large one.
func Shapes() []Shape {
	return []Shape{{16, 512, 784}, {32, 512, 784}, {128, 512, 784}, {32, 256, 512}, {128, 256, 512}, {32, 10, 256},
		{784, 512, 32}, {6272, 64, 288}, {1024, 1024, 1024}}
}

const (
	repeats = 5
	leastIn = 50 * time.Millisecond // of one repeat
)

// Matmul measures the matrix product on one core and writes a line a shape: the median of five, in GFLOP/s.
func Matmul(w io.Writer, shapes []Shape) {
	fmt.Fprintf(w, "%6s %6s %6s %10s\n", "m", "n", "k", "GFLOP/s")
	for _, s := range shapes {
		fmt.Fprintf(w, "%6d %6d %6d %10.1f\n", s.M, s.N, s.K, s.gflops())
	}
}

func (s Shape) gflops() float64 {
	a, b, c := random(s.M*s.K, 1), random(s.K*s.N, 2), make([]float32, s.M*s.N)
	var ws kernel.Workspace
	run := func() { kernel.Gemm(false, false, s.M, s.N, s.K, a, s.K, b, s.N, false, c, s.N, &ws) }
	run()
	rates := make([]float64, repeats)
	for i := range rates {
		n := 0
		begin := time.Now()
		for time.Since(begin) < leastIn {
			run()
			n++
		}
		rates[i] = 2 * float64(s.M) * float64(s.N) * float64(s.K) * float64(n) / time.Since(begin).Seconds() / 1e9
	}
	slices.Sort(rates)
	return rates[repeats/2]
}

func random(n int, key uint64) []float32 {
	out := make([]float32, n)
	r := rng.New(key, rng.Weights, 0, 0, 0)
	for i := range out {
		out[i] = r.Float32() - 0.5
	}
	return out
}
