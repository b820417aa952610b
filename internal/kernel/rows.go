package kernel

import "unsafe"

// The kernels of this file work on a matrix of rows x n stored without gaps. n is the length of the vector argument.

// AddBias adds a vector to every row of dst [rows x n].
//
//	dst[i,j] += bias[j]
func AddBias(dst, bias []float32) {
	rows := rowsOf(dst, len(bias))
	if useAVX2 {
		addBiasAVX2(unsafe.SliceData(dst), unsafe.SliceData(bias), rows, len(bias))
		return
	}
	for r := range rows {
		row := dst[r*len(bias) : (r+1)*len(bias)]
		for j, b := range bias {
			row[j] += b
		}
	}
}

// AddBiasRelu is AddBias followed by Relu.
//
//	dst[i,j] = relu(dst[i,j] + bias[j])
func AddBiasRelu(dst, bias []float32) {
	rows := rowsOf(dst, len(bias))
	if useAVX2 {
		addBiasReluAVX2(unsafe.SliceData(dst), unsafe.SliceData(bias), rows, len(bias))
		return
	}
	for r := range rows {
		row := dst[r*len(bias) : (r+1)*len(bias)]
		for j, b := range bias {
			row[j] = larger(0, row[j]+b)
		}
	}
}

// SumRows adds up the rows of x [rows x n] in order: the gradient of a bias.
//
//	dst[j] = 0 // without accumulate
//	for i := range rows { dst[j] += x[i,j] }
func SumRows(dst, x []float32, accumulate bool) {
	if !accumulate {
		clear(dst)
	}
	rows := rowsOf(x, len(dst))
	if useAVX2 {
		sumRowsAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), rows, len(dst))
		return
	}
	for r := range rows {
		for j, v := range x[r*len(dst) : (r+1)*len(dst)] {
			dst[j] += v
		}
	}
}

// rowsOf returns how many rows of n elements x has. It panics unless they fill x.
func rowsOf[T any](x []T, n int) int {
	if n == 0 {
		if len(x) != 0 {
			panic("kernel: rows of no elements")
		}
		return 0
	}
	if len(x)%n != 0 {
		panic("kernel: slice is not a whole number of rows")
	}
	return len(x) / n
}

// upTo returns the first n elements of x. It panics if there are less, also where the capacity would do.
func upTo[T any](x []T, n int) []T {
	if n < 0 || n > len(x) {
		panic("kernel: slice is too short")
	}
	return x[:n]
}
