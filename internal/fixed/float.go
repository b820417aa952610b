package fixed

import "lockstep/internal/kernel"

// Float32 writes the float32 nearest to each scaled sum, ties to even:
//
//	for i := range acc { dst[i] = float32(acc[i] * 2^-scale) }
//
// rounded once, also where the result is subnormal. A sum beyond the largest
// float32 becomes an infinity. len(dst) == len(acc); scale is in [MinScale,
// MaxScale].
func Float32(dst []float32, acc []int64, scale int) {
	if len(dst) != len(acc) {
		panic("fixed: float32: lengths differ")
	}
	kernel.FixedToFloat(dst, acc, scale)
}

// MaxAbs returns the largest absolute value of x, 0 for an empty x, and NaN if x
// holds one. It is what Scales.Next wants of the reduced sums of a tensor.
func MaxAbs(x []float32) float32 {
	var m float32
	for _, v := range x {
		m = max(m, v, -v)
	}
	return m
}
