package kernel

import "unsafe"

// Tanh computes dst[i] = tanh(x[i]), to 2 ulp.
func Tanh(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		tanhAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = tanh(v)
	}
}

// Sigmoid computes dst[i] = 1 / (1 + exp(-x[i])), to 2 ulp.
func Sigmoid(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		sigmoidAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = sigmoid(v)
	}
}

// Softplus computes dst[i] = log(1 + exp(x[i])), to 2 ulp.
func Softplus(dst, x []float32) {
	x = upTo(x, len(dst))
	if useAVX2 {
		softplusAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = softplus(v)
	}
}

// tanh is a polynomial near 0 and 1 - 2/(exp(2|x|) + 1) elsewhere.
func tanh(x float32) float32 {
	s := x * x
	p := fma(-0x1.9921ap-8, s, 0x1.58e518p-6)
	p = fma(p, s, -0x1.b91e7ep-5)
	p = fma(p, s, 0x1.110ceep-3)
	p = fma(p, s, -0x1.55554ap-2)
	p = fma(float32(p*s), x, x)
	z := abs(x)
	c := smaller(10, z)
	y := 1 - 2/(expSmall(c+c)+1)
	if z < 0.55 {
		return p
	}
	return copySign(y, x)
}

// sigmoid divides by 1 + e, e = exp(-|x|), so that results near 0 are as good as those near 1. What 1 + e loses by rounding
// is mostly made up for: the factor would be 1/(1+e), which is 0.5 to 1.
func sigmoid(x float32) float32 {
	e := exp(-abs(x))
	n := float32(1)
	if x < 0 {
		n = e
	}
	d := e + 1
	lost := e - (d - 1)
	y := n / d
	return fma(float32(y*lost), -0.8, y)
}

// softplus is max(x, 0) + log(1 + exp(-|x|)). The exponential is at most 1.
func softplus(x float32) float32 { return log1p(exp(-abs(x))) + larger(0, x) }
