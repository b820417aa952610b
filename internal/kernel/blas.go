package kernel

import (
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/gonum"
)

// BLAS is gonum's single-precision BLAS with this package's matrix product.
type BLAS struct{ gonum.Implementation }

// Register makes BLAS the implementation behind gonum's blas32.
func Register() { blas32.Use(BLAS{}) }

var blasSpaces = sync.Pool{New: func() any { return new(blasSpace) }}

type blasSpace struct {
	Workspace
	scaled []float32
}

// Sgemm computes C = alpha * op(A) * op(B) + beta * C. alpha multiplies A before the product.
func (BLAS) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int,
	beta float32, c []float32, ldc int) {
	rowsA, colsA := stored(tA, m, k)
	_, colsB := stored(tB, k, n)
	if m < 0 || n < 0 || k < 0 || lda < max(1, colsA) || ldb < max(1, colsB) || ldc < max(1, n) {
		panic("kernel: bad size in Sgemm")
	}
	if m == 0 || n == 0 {
		return
	}
	checkMatrix("c", m, n, c, ldc)
	for i := range m {
		scaleRow(c[i*ldc:i*ldc+n], beta)
	}
	if alpha == 0 || k == 0 {
		return
	}
	checkMatrix("a", rowsA, colsA, a, lda)
	ws := blasSpaces.Get().(*blasSpace)
	defer blasSpaces.Put(ws)
	if alpha != 1 {
		ws.scaled = grow(ws.scaled, rowsA*colsA)
		for i := range rowsA {
			Scale(ws.scaled[i*colsA:(i+1)*colsA], alpha, a[i*lda:])
		}
		a, lda = ws.scaled, colsA
	}
	Gemm(tA != blas.NoTrans, tB != blas.NoTrans, m, n, k, a, lda, b, ldb, beta != 0, c, ldc, &ws.Workspace)
}

// stored returns the shape in memory of an op(X) of m x n.
func stored(t blas.Transpose, m, n int) (rows, cols int) {
	switch t {
	case blas.NoTrans:
		return m, n
	case blas.Trans, blas.ConjTrans:
		return n, m
	}
	panic("kernel: bad transpose in Sgemm")
}

// scaleRow multiplies by beta; 0 clears, whatever was there.
func scaleRow(c []float32, beta float32) {
	switch beta {
	case 0:
		clear(c)
	case 1:
	default:
		Scale(c, beta, c)
	}
}
