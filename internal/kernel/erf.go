package kernel

import (
	"math"
	"unsafe"
)

// Erf computes dst[i] = erf(x[i]), to 1 ulp.
func Erf(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		erfAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = erf(v)
	}
}

// erf is an odd polynomial near 0; elsewhere it is 1 - exp(-g) with a polynomial g for -log(1 - erf(|x|)).
func erf(x float32) float32 {
	s := x * x
	p := fma(-0x1.4cd86p-11, s, 0x1.4b763p-8)
	p = fma(p, s, -0x1.b735eap-6)
	p = fma(p, s, 0x1.ce256ap-4)
	p = fma(p, s, -0x1.812726p-2)
	p = fma(p, s, 0x1.06eba8p-3)
	p = fma(p, x, x)
	z := abs(x)
	c := smaller(3.95, z)
	g := fma(-0x1.ad5938p-13, c, 0x1.99f6cp-9)
	g = fma(g, c, -0x1.7192cep-6)
	g = fma(g, c, 0x1.ac7244p-4)
	g = fma(g, c, 0x1.45db18p-1)
	g = fma(g, c, 0x1.20cba2p+0)
	g = fma(g, c, 0x1.89edcp-14)
	y := 1 - expSmall(-g)
	if z < 0.85 {
		return p
	}
	return copySign(y, x)
}

// abs clears the sign.
func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// copySign returns y, which is not negative, with the sign of x.
func copySign(y, x float32) float32 {
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&(1<<31))
}
