package kernel

import (
	"math"
	"slices"
	"testing"
)

func TestLayerNorm(t *testing.T) {
	const rows, epsilon = 4, 1e-3
	for _, n := range []int{1, 5, 16, 40} {
		x, dy, gamma, beta := random(rows*n, 1), random(rows*n, 2), random(n, 3), random(n, 4)
		y, dx, mean, rstd := make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows), make([]float32, rows)
		dgamma, dbeta := slices.Repeat([]float32{1}, n), slices.Repeat([]float32{2}, n) // what is there stays
		LayerNorm(y, mean, rstd, x, gamma, beta, epsilon)
		LayerNormGrad(dx, dgamma, dbeta, dy, x, mean, rstd, gamma)
		wantGamma, wantBeta := slices.Repeat([]float64{1}, n), slices.Repeat([]float64{2}, n)
		for r := range rows {
			var sum, squares, s1, s2 float64
			for j := r * n; j < (r+1)*n; j++ {
				sum += float64(x[j])
			}
			for j := r * n; j < (r+1)*n; j++ {
				squares += math.Pow(float64(x[j])-sum/float64(n), 2)
			}
			inverse := 1 / math.Sqrt(squares/float64(n)+epsilon)
			xhat := func(j int) float64 { return (float64(x[r*n+j]) - sum/float64(n)) * inverse }
			for j := range n {
				g := float64(dy[r*n+j])
				near(t, "LayerNorm", y[r*n+j], xhat(j)*float64(gamma[j])+float64(beta[j]), 1e-5, 2e-5)
				s1 += g * float64(gamma[j]) / float64(n)
				s2 += g * float64(gamma[j]) * xhat(j) / float64(n)
				wantGamma[j] += g * xhat(j)
				wantBeta[j] += g
			}
			for j := range n {
				g := float64(dy[r*n+j]) * float64(gamma[j])
				near(t, "LayerNormGrad x", dx[r*n+j], inverse*(g-s1-xhat(j)*s2), 1e-5, 1e-4*inverse)
			}
		}
		for j := range n {
			near(t, "LayerNormGrad gamma", dgamma[j], wantGamma[j], 1e-5, 5e-5)
			near(t, "LayerNormGrad beta", dbeta[j], wantBeta[j], 1e-5, 1e-5)
		}
	}
}

func TestColumns(t *testing.T) {
	const rows = 7
	for _, n := range []int{1, 3, 4, 10, 16, 21} {
		x, y, m := random(rows*n, 1), random(rows*n, 2), random(n, 3)
		mean := make([]float64, n)
		sums, squares, dots := make([]float64, n), make([]float64, n), make([]float64, n)
		for j := range n {
			mean[j] = float64(m[j]) / 3
			sums[j], squares[j], dots[j] = 1, 2, 3
		}
		total := make([]float32, n)
		ColumnSums(sums, x)
		ColumnSquares(squares, x, mean)
		ColumnDots(dots, x, y)
		SumRows(total, x, false)
		for j := range n {
			s, q, d := 1.0, 2.0, 3.0
			for i := range rows {
				s += float64(x[i*n+j])
				q += math.Pow(float64(x[i*n+j])-mean[j], 2)
				d += float64(x[i*n+j]) * float64(y[i*n+j])
			}
			if math.Abs(sums[j]-s) > 1e-13 || math.Abs(squares[j]-q) > 1e-11 || math.Abs(dots[j]-d) > 1e-11 {
				t.Fatalf("column %d of %d: %v %v %v, want %v %v %v", j, n, sums[j], squares[j], dots[j], s, q, d)
			}
			near(t, "SumRows", total[j], s-1, 1e-6, 1e-5)
		}
	}
}

func TestReductions(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 33, 100} {
		x, y := random(n, 1), random(n, 2)
		var sum, squares, dot, top float64
		for i, v := range x {
			sum += float64(v)
			squares += float64(v) * float64(v)
			dot += float64(v) * float64(y[i])
			top = max(top, math.Abs(float64(v)))
		}
		if math.Abs(Sum(x)-sum) > 1e-12 || math.Abs(SumSquares(x)-squares) > 1e-11 {
			t.Errorf("Sum, SumSquares of %d = %v, %v, want %v, %v", n, Sum(x), SumSquares(x), sum, squares)
		}
		near(t, "Dot", Dot(x, y), dot, 1e-5, 1e-4)
		near(t, "MaxAbs", MaxAbs(x), top, 0, 0)
		if HasNonFinite(x) {
			t.Errorf("HasNonFinite of %d finite numbers", n)
		}
		for i := range x {
			for _, v := range []float64{math.Inf(-1), math.NaN()} {
				bad := slices.Clone(x)
				bad[i] = float32(v)
				if !HasNonFinite(bad) {
					t.Errorf("HasNonFinite misses %v at %d of %d", v, i, n)
				}
			}
		}
	}
}
