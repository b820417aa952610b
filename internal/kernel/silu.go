package kernel

import "unsafe"

// Silu computes x * sigmoid(x).
func Silu(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		siluAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = v * sigmoid(v)
	}
}

// SiluGrad computes the gradient from x.
//
//	for i := range dst { s := sigmoid(x[i]); dst[i] = dy[i] * fma(x[i]*s, 1-s, s) }
func SiluGrad(dst, dy, x []float32) {
	dy, x = upTo(dy, len(dst)), upTo(x, len(dst))
	if useAVX2 {
		siluGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		s := sigmoid(v)
		dst[i] = dy[i] * fma(v*s, 1-s, s)
	}
}

// SigmoidGrad computes the gradient of Sigmoid from y = Sigmoid(x).
//
//	for i := range dst { dst[i] = dy[i] * fma(-y[i], y[i], y[i]) }
func SigmoidGrad(dst, dy, y []float32) {
	dy, y = upTo(dy, len(dst)), upTo(y, len(dst))
	if useAVX2 {
		sigmoidGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(y), len(dst))
		return
	}
	for i, v := range y {
		dst[i] = dy[i] * fma(-v, v, v)
	}
}

// TanhGrad computes the gradient of Tanh from y = Tanh(x).
//
//	for i := range dst { dst[i] = dy[i] * fma(-y[i], y[i], 1) }
func TanhGrad(dst, dy, y []float32) {
	dy, y = upTo(dy, len(dst)), upTo(y, len(dst))
	if useAVX2 {
		tanhGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(y), len(dst))
		return
	}
	for i, v := range y {
		dst[i] = dy[i] * fma(-v, v, 1)
	}
}

// SoftplusGrad computes the gradient of Softplus from x.
//
//	for i := range dst { dst[i] = dy[i] * sigmoid(x[i]) }
func SoftplusGrad(dst, dy, x []float32) {
	dy, x = upTo(dy, len(dst)), upTo(x, len(dst))
	if useAVX2 {
		softplusGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = dy[i] * sigmoid(v)
	}
}
