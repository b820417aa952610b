package kernel

import "unsafe"

// Each activation f has a gradient dst[i] = dy[i] * f'(x[i]). It takes x, or y = f(x) where that is enough.

// Relu computes max(x, 0); a NaN stays a NaN.
//
//	for i := range dst { if x[i] < 0 { dst[i] = 0 } else { dst[i] = x[i] } }
func Relu(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		reluAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = larger(0, v)
	}
}

// ReluGrad computes the gradient from y = Relu(x), or as well from x.
//
//	for i := range dst { if y[i] > 0 { dst[i] = dy[i] } else { dst[i] = 0 } }
func ReluGrad(dst, dy, y []float32) {
	dy, y = upTo(dy, len(dst)), upTo(y, len(dst))
	if useAVX2 {
		reluGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(y), len(dst))
		return
	}
	for i, v := range y {
		if v > 0 {
			dst[i] = dy[i]
		} else {
			dst[i] = 0
		}
	}
}

// LeakyRelu computes x for positive x and slope*x otherwise.
//
//	for i := range dst { if x[i] > 0 { dst[i] = x[i] } else { dst[i] = slope * x[i] } }
func LeakyRelu(dst, x []float32, slope float32) {
	LeakyReluGrad(dst, x, x, slope)
}

// LeakyReluGrad computes the gradient from x.
//
//	for i := range dst { if x[i] > 0 { dst[i] = dy[i] } else { dst[i] = slope * dy[i] } }
func LeakyReluGrad(dst, dy, x []float32, slope float32) {
	dy, x = upTo(dy, len(dst)), upTo(x, len(dst))
	if useAVX2 {
		leakyReluGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(x), len(dst), slope)
		return
	}
	for i, v := range x {
		if v > 0 {
			dst[i] = dy[i]
		} else {
			dst[i] = slope * dy[i]
		}
	}
}

// Elu computes x for positive x and alpha*(exp(x) - 1) otherwise.
//
//	for i := range dst { if x[i] > 0 { dst[i] = x[i] } else { dst[i] = alpha * expm1(x[i]) } }
func Elu(dst, x []float32, alpha float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		eluAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst), alpha)
		return
	}
	for i, v := range x {
		if v > 0 {
			dst[i] = v
		} else {
			dst[i] = alpha * expm1(v)
		}
	}
}

// EluGrad computes the gradient from x.
//
//	for i := range dst { if x[i] > 0 { dst[i] = dy[i] } else { dst[i] = dy[i] * (alpha * exp(x[i])) } }
func EluGrad(dst, dy, x []float32, alpha float32) {
	dy, x = upTo(dy, len(dst)), upTo(x, len(dst))
	if useAVX2 {
		eluGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(x), len(dst), alpha)
		return
	}
	for i, v := range x {
		if v > 0 {
			dst[i] = dy[i]
		} else {
			dst[i] = dy[i] * float32(alpha*exp(v))
		}
	}
}
