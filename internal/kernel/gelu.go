package kernel

import "unsafe"

const (
	sqrtHalf   = 0x1.6a09e6p-1 // 1/sqrt(2)
	normalPeak = 0x1.988454p-2 // 1/sqrt(2*pi)
	geluC0     = 0x1.988454p-1 // sqrt(2/pi)
	geluC1     = 0x1.2444f2p-5 // geluC0 * 0.044715
	geluC2     = 0x1.b6676cp-4 // geluC1 * 3
)

// Gelu computes x/2 * (1 + erf(x/sqrt(2))).
//
//	for i := range dst { h := x[i] / 2; dst[i] = fma(h, erf(x[i] * sqrtHalf), h) }
func Gelu(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		geluAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		h := v * 0.5
		dst[i] = fma(h, erf(v*sqrtHalf), h)
	}
}

// GeluGrad computes the gradient from x.
//
//	for i := range dst {
//		cdf := fma(0.5, erf(x[i] * sqrtHalf), 0.5)
//		pdf := exp(x[i]*-0.5 * x[i]) * normalPeak
//		dst[i] = dy[i] * fma(x[i], pdf, cdf)
//	}
func GeluGrad(dst, dy, x []float32) {
	dy, x = upTo(dy, len(dst)), upTo(x, len(dst))
	if useAVX2 {
		geluGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		cdf := fma(erf(v*sqrtHalf), 0.5, 0.5)
		pdf := exp(float32(v*-0.5)*v) * normalPeak
		dst[i] = dy[i] * fma(v, pdf, cdf)
	}
}

// GeluTanh computes x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715*x^3))).
//
//	for i := range dst {
//		h := x[i] / 2
//		dst[i] = fma(h, tanh(x[i] * fma(x[i]*x[i], geluC1, geluC0)), h)
//	}
func GeluTanh(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		geluTanhAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		h := v * 0.5
		dst[i] = fma(h, tanh(v*fma(v*v, geluC1, geluC0)), h)
	}
}

// GeluTanhGrad computes the gradient from x.
//
//	for i := range dst {
//		s := x[i] * x[i]
//		t := tanh(x[i] * fma(s, geluC1, geluC0))
//		slope := x[i]/2 * fma(-t, t, 1) * fma(s, geluC2, geluC0)
//		dst[i] = dy[i] * (fma(t, 0.5, 0.5) + slope)
//	}
func GeluTanhGrad(dst, dy, x []float32) {
	dy, x = upTo(dy, len(dst)), upTo(x, len(dst))
	if useAVX2 {
		geluTanhGradAVX2(unsafe.SliceData(dst), unsafe.SliceData(dy), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		s := v * v
		t := tanh(v * fma(s, geluC1, geluC0))
		slope := float32(v*0.5) * fma(-t, t, 1) * fma(s, geluC2, geluC0)
		dst[i] = dy[i] * (fma(t, 0.5, 0.5) + float32(slope))
	}
}
