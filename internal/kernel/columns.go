package kernel

import (
	"math"
	"unsafe"
)

// The kernels of this file are the parts of batch normalisation: sums over the rows of x [rows x n] in double precision,
// and the arithmetic on every row. n is the length of the vector arguments.

// ColumnSums adds up columns.
//
//	for i := range rows { dst[j] += float64(x[i,j]) }
func ColumnSums(dst []float64, x []float32) {
	rows := rowsOf(x, len(dst))
	if useAVX2 {
		columnSumsAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), rows, len(dst))
		return
	}
	for r := range rows {
		for j, v := range x[r*len(dst) : (r+1)*len(dst)] {
			dst[j] += float64(v)
		}
	}
}

// ColumnSquares adds up squared distances from mean.
//
//	for i := range rows { d := float64(x[i,j]) - mean[j]; dst[j] = fma(d, d, dst[j]) }
func ColumnSquares(dst []float64, x []float32, mean []float64) {
	mean = upTo(mean, len(dst))
	rows := rowsOf(x, len(dst))
	if useAVX2 {
		columnSquaresAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(mean), rows, len(dst))
		return
	}
	for r := range rows {
		for j, v := range x[r*len(dst) : (r+1)*len(dst)] {
			d := float64(v) - mean[j]
			dst[j] = math.FMA(d, d, dst[j])
		}
	}
}

// ColumnDots adds up products.
//
//	for i := range rows { dst[j] += float64(x[i,j]) * float64(y[i,j]) }
func ColumnDots(dst []float64, x, y []float32) {
	n := len(dst)
	rows := rowsOf(x, n)
	y = upTo(y, len(x))
	if useAVX2 {
		columnDotsAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(y), rows, n)
		return
	}
	for r := range rows {
		v := y[r*n : (r+1)*n]
		for j, u := range x[r*n : (r+1)*n] {
			dst[j] += float64(u) * float64(v[j])
		}
	}
}

// Normalize shifts and scales columns.
//
//	dst[i,j] = fma(x[i,j] - mean[j], scale[j], shift[j])
func Normalize(dst, x, mean, scale, shift []float32) {
	n := len(mean)
	scale, shift = upTo(scale, n), upTo(shift, n)
	rows := rowsOf(dst, n)
	x = upTo(x, len(dst))
	if useAVX2 {
		normalizeAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(mean), unsafe.SliceData(scale),
			unsafe.SliceData(shift), rows, n)
		return
	}
	for r := range rows {
		d := dst[r*n : (r+1)*n]
		for j, v := range x[r*n : (r+1)*n] {
			d[j] = fma(v-mean[j], scale[j], shift[j])
		}
	}
}

// NormalizeGrad combines the terms of the gradient of a normalisation.
//
//	dst[i,j] = fma(a[j], dy[i,j], fma(b[j], x[i,j] - mean[j], c[j]))
func NormalizeGrad(dst, dy, x, mean, a, b, c []float32) {
	n := len(mean)
	a, b, c = upTo(a, n), upTo(b, n), upTo(c, n)
	rows := rowsOf(dst, n)
	dy, x = upTo(dy, len(dst)), upTo(x, len(dst))
	if useAVX2 {
		normalizeGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(mean),
			unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(c), rows, n)
		return
	}
	for r := range rows {
		d, g := dst[r*n:(r+1)*n], dy[r*n:(r+1)*n]
		for j, v := range x[r*n : (r+1)*n] {
			d[j] = fma(a[j], g[j], fma(b[j], v-mean[j], c[j]))
		}
	}
}
