package kernel

import (
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/testblas"
)

// doubleFace lets the conformance suite for double precision run on Sgemm.
type doubleFace struct{}

func (doubleFace) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int,
	beta float64, c []float64, ldc int) {
	c32 := single(c)
	BLAS{}.Sgemm(tA, tB, m, n, k, float32(alpha), single(a), lda, single(b), ldb, float32(beta), c32, ldc)
	for i, v := range c32 {
		c[i] = float64(v)
	}
}

func single(x []float64) []float32 {
	if x == nil {
		return nil
	}
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func TestSgemmConformance(t *testing.T) { testblas.TestDgemm(t, doubleFace{}) }
