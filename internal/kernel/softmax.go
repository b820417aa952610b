package kernel

import (
	"math"
	"unsafe"
)

// Softmax computes exp(x) / sum(exp(x)) over every row of n elements.
//
//	top := max(x[i,:])
//	for j := range n { dst[i,j] = exp(x[i,j] - top); acc[j%8] += dst[i,j] }
//	sum := the sum of acc, by halves: acc[l] += acc[l+4], then 2, 1
//	for j := range n { dst[i,j] *= 1/sum }
func Softmax(dst, x []float32, n int) {
	rows := rowsOf(dst, n)
	x = upTo(x, len(dst))
	if useAVX2 {
		softmaxAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), rows, n)
		return
	}
	for i := range rows {
		row := dst[i*n : (i+1)*n]
		_, sum := exponentials(row, x[i*n:(i+1)*n])
		f := 1 / sum
		for j := range row {
			row[j] *= f
		}
	}
}

// LogSoftmax computes x - log(sum(exp(x))) over every row of n elements.
//
//	dst[i,j] = (x[i,j] - top) - log(sum) // top and sum as in Softmax
func LogSoftmax(dst, x []float32, n int) {
	rows := rowsOf(dst, n)
	x = upTo(x, len(dst))
	if useAVX2 {
		logSoftmaxAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), rows, n)
		return
	}
	for i := range rows {
		in := x[i*n : (i+1)*n]
		top, sum := exponentials(nil, in)
		l := log(sum)
		for j, v := range in {
			dst[i*n+j] = (v - top) - l
		}
	}
}

// exponentials is the part that Softmax and LogSoftmax share. A nil dst takes nothing.
func exponentials(dst, x []float32) (top, sum float32) {
	top = float32(math.Inf(-1))
	for _, v := range x {
		top = larger(v, top)
	}
	var acc [8]float32
	for j, v := range x {
		e := exp(v - top)
		acc[j%8] += e
		if dst != nil {
			dst[j] = e
		}
	}
	return top, fold8(&acc)
}

// fold8 adds up lanes by halves.
func fold8(acc *[8]float32) float32 {
	for h := 4; h > 0; h /= 2 {
		for l := range h {
			acc[l] += acc[l+h]
		}
	}
	return acc[0]
}

// SoftmaxGrad computes the gradient from y = Softmax(x) over every row of n elements.
//
//	for j := range n { acc[j%8] = fma(dy[i,j], y[i,j], acc[j%8]) }
//	sum := the sum of acc, as in Softmax
//	for j := range n { dst[i,j] = y[i,j] * (dy[i,j] - sum) }
func SoftmaxGrad(dst, dy, y []float32, n int) {
	rows := rowsOf(dst, n)
	dy, y = upTo(dy, len(dst)), upTo(y, len(dst))
	if useAVX2 {
		softmaxGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(y), rows, n)
		return
	}
	for i := range rows {
		d, u, v := dst[i*n:(i+1)*n], dy[i*n:(i+1)*n], y[i*n:(i+1)*n]
		var acc [8]float32
		for j := range u {
			acc[j%8] = fma(u[j], v[j], acc[j%8])
		}
		sum := fold8(&acc)
		for j := range d {
			d[j] = v[j] * (u[j] - sum)
		}
	}
}

// LogSoftmaxGrad computes the gradient from y = LogSoftmax(x) over every row of n elements.
//
//	for j := range n { acc[j%8] += dy[i,j] }
//	sum := the sum of acc, as in Softmax
//	for j := range n { dst[i,j] = fma(-exp(y[i,j]), sum, dy[i,j]) }
func LogSoftmaxGrad(dst, dy, y []float32, n int) {
	rows := rowsOf(dst, n)
	dy, y = upTo(dy, len(dst)), upTo(y, len(dst))
	if useAVX2 {
		logSoftmaxGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(y), rows, n)
		return
	}
	for i := range rows {
		d, u, v := dst[i*n:(i+1)*n], dy[i*n:(i+1)*n], y[i*n:(i+1)*n]
		var acc [8]float32
		for j := range u {
			acc[j%8] += u[j]
		}
		sum := fold8(&acc)
		for j := range d {
			d[j] = fma(-exp(v[j]), sum, u[j])
		}
	}
}
