package kernel

import "unsafe"

// Axpy adds a multiple of x.
//
//	for i := range dst { dst[i] = fma(alpha, x[i], dst[i]) }
func Axpy(dst []float32, alpha float32, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		axpyAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst), alpha)
		return
	}
	for i, v := range x {
		dst[i] = fma(alpha, v, dst[i])
	}
}

// Scale multiplies by a number.
//
//	for i := range dst { dst[i] = alpha * x[i] }
func Scale(dst []float32, alpha float32, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		scaleAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst), alpha)
		return
	}
	for i, v := range x {
		dst[i] = alpha * v
	}
}

// Add adds two vectors.
//
//	for i := range dst { dst[i] = x[i] + y[i] }
func Add(dst, x, y []float32) {
	x, y = upTo(x, len(dst)), upTo(y, len(dst))
	if useAVX2 {
		addAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(y), len(dst))
		return
	}
	for i := range dst {
		dst[i] = x[i] + y[i]
	}
}

// Sub subtracts two vectors.
//
//	for i := range dst { dst[i] = x[i] - y[i] }
func Sub(dst, x, y []float32) {
	x, y = upTo(x, len(dst)), upTo(y, len(dst))
	if useAVX2 {
		subAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(y), len(dst))
		return
	}
	for i := range dst {
		dst[i] = x[i] - y[i]
	}
}

// Mul multiplies two vectors element by element.
//
//	for i := range dst { dst[i] = x[i] * y[i] }
func Mul(dst, x, y []float32) {
	x, y = upTo(x, len(dst)), upTo(y, len(dst))
	if useAVX2 {
		mulAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(y), len(dst))
		return
	}
	for i := range dst {
		dst[i] = x[i] * y[i]
	}
}

// MulAdd adds the product of two vectors, element by element.
//
//	for i := range dst { dst[i] = fma(x[i], y[i], dst[i]) }
func MulAdd(dst, x, y []float32) {
	x, y = upTo(x, len(dst)), upTo(y, len(dst))
	if useAVX2 {
		mulAddAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(y), len(dst))
		return
	}
	for i := range dst {
		dst[i] = fma(x[i], y[i], dst[i])
	}
}

// Sqrt computes dst[i] = sqrt(x[i]), correctly rounded.
func Sqrt(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		sqrtAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = sqrt(v)
	}
}
