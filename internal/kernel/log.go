package kernel

import (
	"math"
	"unsafe"
)

// Log computes dst[i] = log(x[i]), to 1 ulp.
func Log(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		logAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = log(v)
	}
}

// Log1p computes dst[i] = log(1 + x[i]), to 2 ulp, also near 0.
func Log1p(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		log1pAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = log1p(v)
	}
}

const (
	sqrtHalfBits = 0x3f3504f3 // the bits of sqrt(1/2)
	minNormal    = 0x1p-126
)

// split returns e such that x * 2^-e is in [sqrt(1/2), sqrt(2)), times 2^23 and with other low bits, for a
// normal positive x.
func split(x float32) int32 { return int32(math.Float32bits(x) - sqrtHalfBits) }

// log takes f and e with x = (1+f) * 2^e.
func log(x float32) float32 {
	n, shift := x, float32(0)
	if x < minNormal {
		n, shift = x*0x1p23, -23
	}
	d := split(n)
	e := float32(d>>23) + shift
	f := math.Float32frombits(uint32(d)&0x7fffff+sqrtHalfBits) - 1
	return logSpecial(x, logSum(f, e))
}

// log1p takes f and e with 1+x = (1+f) * 2^e. What 1+x loses by rounding goes back into f; it is 0 where x is large, so
// there the scale need not be right.
func log1p(x float32) float32 {
	u := x + 1
	lost := x - (u - 1)
	d := split(u)
	scale := math.Float32frombits(uint32(0x3f800000 - min(d&^0x7fffff, 126<<23))) // 2^-e
	f := math.Float32frombits(uint32(d)&0x7fffff+sqrtHalfBits) - 1
	y := logSum(fma(lost, scale, f), float32(d>>23))
	if abs(x) < 0x1p-24 {
		y = x
	}
	return logSpecial(u, y)
}

// logSum is log(1+f) + e*log(2) for 1+f from sqrt(1/2) to sqrt(2).
func logSum(f, e float32) float32 {
	p := fma(-0x1.38f944p-4, f, 0x1.057396p-3)
	p = fma(p, f, -0x1.0d8344p-3)
	p = fma(p, f, 0x1.22d65p-3)
	p = fma(p, f, -0x1.547212p-3)
	p = fma(p, f, 0x1.99a032p-3)
	p = fma(p, f, -0x1.000228p-2)
	p = fma(p, f, 0x1.555554p-2)
	p = fma(p, f, -0.5)
	p = fma(p, float32(f*f), f)
	p = fma(e, ln2Lo, p)
	return fma(e, ln2Hi, p)
}

// logSpecial is y where x is positive and finite, and the logarithm of x elsewhere.
func logSpecial(x, y float32) float32 {
	if !(x > 0) {
		y = float32(math.NaN())
	}
	if x == 0 {
		y = float32(math.Inf(-1))
	}
	if x == float32(math.Inf(1)) {
		y = x
	}
	return y
}
