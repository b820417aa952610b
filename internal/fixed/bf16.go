package fixed

import "math"

// RoundBF16 rounds every value to the nearest bfloat16, ties to even: 8 significant bits,
// the exponents of float32. What is beyond the largest becomes an infinity; a NaN stays
// one. Rounding each micro-batch's gradient, before it is accumulated, keeps the sums
// independent of who computes what.
func RoundBF16(x []float32) {
	for i, v := range x {
		b := math.Float32bits(v)
		if v == v {
			b += 0x7fff + b>>16&1
		}
		x[i] = math.Float32frombits(b &^ 0xffff)
		if v != v {
			x[i] = v
		}
	}
}
