package kernel

import (
	"math"
	"unsafe"
)

// The functions of one float32 in this file and its neighbours are what the vector code computes in each lane, with the
// same operations in the same order. Coefficients are minimax fits (Remez), rounded to float32 one after the other.

const (
	log2E = 0x1.715476p+0
	ln2Hi = 0x1.62e43p-1   // float32(log(2))
	ln2Lo = -0x1.05c61p-29 // log(2) - ln2Hi

	roundMagic = 3 << 22    // adding 1.5 * 2^23 rounds to an integer, in the low bits
	roundBits  = 0x4b400000 // the bits of roundMagic

	expMax, expMin = 89, -104 // beyond these the result is Inf or 0
)

// Exp computes dst[i] = exp(x[i]), to 1 ulp.
func Exp(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		expAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = exp(v)
	}
}

// Expm1 computes dst[i] = exp(x[i]) - 1, to 2 ulp, also near 0.
func Expm1(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		expm1AVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = expm1(v)
	}
}

// reduce returns the integer k nearest to x/log(2), as the low bits of bits, and r = x - k*log(2). |x| is at most 2^21.
func reduce(x float32) (bits int32, r float32) {
	t := fma(x, log2E, roundMagic)
	k := t - roundMagic
	r = fma(k, -ln2Hi, x)
	return int32(math.Float32bits(t)), fma(k, -ln2Lo, r)
}

// power2of returns 2^k for k from -126 to 127.
func power2of(k int32) float32 { return math.Float32frombits(uint32(k+127) << 23) }

// expPoly is exp(r) for |r| <= log(2)/2.
func expPoly(r float32) float32 {
	p := fma(0x1.6b2d2ep-10, r, 0x1.124816p-7)
	p = fma(p, r, 0x1.55581p-5)
	p = fma(p, r, 0x1.55547ep-3)
	p = fma(p, r, 0x1.fffffcp-2)
	p = fma(p, r, 1)
	return fma(p, r, 1)
}

// exp scales in two steps, so that subnormal results and those next to overflow come out right.
func exp(x float32) float32 {
	x = larger(expMin, smaller(expMax, x))
	t, r := reduce(x)
	k := t - roundBits
	h := k >> 1
	return expPoly(r) * power2of(h) * power2of(k-h)
}

// expSmall is exp for |x| below 80, without a special case.
func expSmall(x float32) float32 {
	t, r := reduce(x)
	return expPoly(r) * power2of(t-roundBits)
}

// expm1 is 2^k * (exp(r) - 1) + (2^k - 1), with half of 2^k where that could overflow.
func expm1(x float32) float32 {
	c := larger(-30, smaller(expMax, x))
	t, r := reduce(c)
	s := power2of(t - roundBits - 1)
	y := fma(s, expm1Poly(r), s-0.5)
	y += y
	if abs(x) < 0x1p-24 {
		return x
	}
	return y
}

// expm1Poly is exp(r) - 1 for |r| <= log(2)/2.
func expm1Poly(r float32) float32 {
	p := fma(0x1.6ce22p-10, r, 0x1.12310ap-7)
	p = fma(p, r, 0x1.555536p-5)
	p = fma(p, r, 0x1.5554a4p-3)
	p = fma(p, r, 0.5)
	return fma(float32(r*r), p, r)
}

// larger is the instruction MAXPS: y unless x is larger.
func larger(x, y float32) float32 {
	if x > y {
		return x
	}
	return y
}

// smaller is the instruction MINPS: y unless x is smaller.
func smaller(x, y float32) float32 {
	if x < y {
		return x
	}
	return y
}
