package kernel

import (
	"math"
	"unsafe"
)

// maxScale bounds the scale of fixed point: both 2^scale and every float32 times it are ordinary float64 numbers.
const maxScale = 800

// magic is 1.5 * 2^52: adding it to a float64 below 2^51 rounds that to an integer, to even, in the low bits of the sum.
const magic = 3 << 51

// FixedAccumulate adds numbers to fixed-point accumulators of the unit 2^-scale, whose values count as 0 if they are fresh,
// and returns the bit pattern of the largest |g|: 0x7f800000 or more if there is an infinity or a NaN.
//
//	for i := range g { acc[i] += int64(roundToEven(g[i] * 2^scale)) }
//
// The caller keeps |g * 2^scale| below 2^51. Whether that was so follows from the value that is returned; if it was not,
// the accumulators are of no use any more. It panics if |scale| is above 800.
func FixedAccumulate(acc []int64, fresh bool, scale int, g []float32) (maxAbsBits uint32) {
	acc = upTo(acc, len(g))
	f := power2(scale)
	if useAVX2 {
		n := len(g) &^ 7
		maxAbsBits = fixedAccumulateAVX2(unsafe.SliceData(acc), unsafe.SliceData(g), n, f, keep(fresh))
		acc, g = acc[n:], g[n:]
	}
	if fresh {
		clear(acc)
	}
	for i, v := range g {
		r := float64(float64(v)*f) + magic
		acc[i] += int64(math.Float64bits(r)) - int64(math.Float64bits(magic))
		maxAbsBits = max(maxAbsBits, math.Float32bits(v)&^(1<<31))
	}
	return maxAbsBits
}

// FixedAccumulatePair is FixedAccumulate of g and of h, which are equally long, with one pass over the accumulators.
func FixedAccumulatePair(acc []int64, fresh bool, scale int, g, h []float32) (maxAbsBits uint32) {
	acc, h = upTo(acc, len(g)), upTo(h, len(g))
	if useAVX2 {
		n := len(g) &^ 7
		maxAbsBits = fixedAccumulatePairAVX2(unsafe.SliceData(acc), unsafe.SliceData(g), unsafe.SliceData(h), n, power2(scale), keep(fresh))
		acc, g, h = acc[n:], g[n:], h[n:]
	}
	return max(maxAbsBits, FixedAccumulate(acc, fresh, scale, g), FixedAccumulate(acc, false, scale, h))
}

// keep is a mask of the bits of accumulators that stay.
func keep(fresh bool) uint64 {
	if fresh {
		return 0
	}
	return math.MaxUint64
}

// FixedToFloat converts accumulators of the unit 2^-scale to float32, rounded correctly, to even.
//
//	for i := range dst { dst[i] = float32(acc[i] * 2^-scale) }
func FixedToFloat(dst []float32, acc []int64, scale int) {
	acc = upTo(acc, len(dst))
	f := power2(-scale)
	if useAVX2 {
		n := len(dst) &^ 3
		fixedToFloatAVX2(unsafe.SliceData(dst), unsafe.SliceData(acc), n, f)
		dst, acc = dst[n:], acc[n:]
	}
	for i, v := range acc {
		dst[i] = float32(float64(narrow(v)) * f)
	}
}

// narrow returns v, or if that has more than 53 bits a number without its last ten bits that float32 rounds
// in the same way: the bit above them is set if anything is lost.
func narrow(v int64) int64 {
	if v >= -1<<53 && v < 1<<53 || v&(1<<11-1) == 0 {
		return v
	}
	return v&^(1<<11-1) | 1<<10
}

// power2 returns 2^n, for |n| up to maxScale.
func power2(n int) float64 {
	if n < -maxScale || n > maxScale {
		panic("kernel: scale of fixed point out of range")
	}
	return math.Float64frombits(uint64(n+1023) << 52)
}
