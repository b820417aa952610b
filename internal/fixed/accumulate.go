package fixed

import (
	"math"

	"lockstep/internal/kernel"
)

const (
	// MaxAddends is the largest number of values that one accumulator takes: 4095
	// values of at most 2^51 stay inside an int64.
	MaxAddends = 4095

	// maxBits bounds a scaled value: |g * 2^scale| <= 2^maxBits.
	maxBits = 51
)

// block is the number of elements that are added up in one go: 16 KiB of acc and 8 KiB of a gradient fit an L1 cache.
const block = 2048

// Accumulate adds the scaled values of one or more gradients to acc, or replaces acc by their sum if it is fresh, and
// tells how large they were:
//
//	for i := range acc { acc[i] += sum over g of roundToEven(g[i] * 2^scale) }
//
// Several gradients in one call pass acc through the memory once. All have the length of acc; scale is in [MinScale,
// MaxScale]. When the result has NonFinite or TooLarge, acc is of no use any more in this attempt.
func Accumulate(acc []int64, fresh bool, scale int, grads ...[]float32) Flags {
	return each(acc, scale, grads, func(lo, hi int) uint32 { return accumulate(acc[lo:hi], fresh, scale, grads, lo) })
}

// AccumulateLast is Accumulate, of the last gradients, and Float32 of what acc would be then:
//
//	for i := range acc { dst[i] = float32((acc[i] + sum over g of roundToEven(g[i] * 2^scale)) * 2^-scale) }
//
// The sums do not leave the cache: what acc holds afterwards is of no use.
func AccumulateLast(dst []float32, acc []int64, fresh bool, scale int, grads ...[]float32) Flags {
	if len(dst) != len(acc) {
		panic("fixed: accumulate: lengths differ")
	}
	return each(acc, scale, grads, func(lo, hi int) uint32 {
		part := acc[lo:hi]
		if fresh {
			part = acc[:hi-lo]
		}
		bits := accumulate(part, fresh, scale, grads, lo)
		Float32(dst[lo:hi], part, scale)
		return bits
	})
}

// each calls add for every block of acc, and tells how large what it added was.
func each(acc []int64, scale int, grads [][]float32, add func(lo, hi int) (bits uint32)) Flags {
	for _, g := range grads {
		if len(acc) != len(g) {
			panic("fixed: accumulate: lengths differ")
		}
	}
	var bits uint32
	for lo := 0; lo < len(acc); lo += block {
		bits = max(bits, add(lo, min(lo+block, len(acc))))
	}
	return magnitude(float64(math.Float32frombits(bits)) * math.Ldexp(1, scale))
}

// accumulate adds the parts of the gradients that begin at lo, two at a time.
func accumulate(acc []int64, fresh bool, scale int, grads [][]float32, lo int) (bits uint32) {
	hi := lo + len(acc)
	if fresh && len(grads) == 0 {
		clear(acc)
	}
	for len(grads) > 1 {
		bits = max(bits, kernel.FixedAccumulatePair(acc, fresh, scale, grads[0][lo:hi], grads[1][lo:hi]))
		grads, fresh = grads[2:], false
	}
	for _, g := range grads {
		bits = max(bits, kernel.FixedAccumulate(acc, fresh, scale, g[lo:hi]))
	}
	return bits
}
