package fixed

import (
	"math"
	"math/bits"
)

// Sum accumulates float64 values exactly, in base 2^32 digits that are spread over
// int64 words so that no carry is needed when values or whole accumulators are
// added, word by word:
//
//	word   0         1         2       3        4        5        6
//	unit   2^-64     2^-32     2^0     2^32     2^64     2^96     refused values
//
// A value's bits below 2^-64 are dropped, towards zero. A value of 2^127 or more,
// an infinity or a NaN is counted in the last word and makes the sum NaN. Up to
// 2^31 values may be added. The zero Sum is an empty sum.
type Sum [Limbs]int64

const (
	// Limbs is the number of words of a Sum.
	Limbs = 7

	digits   = Limbs - 1
	refused  = Limbs - 1
	lowest   = -64 // the exponent of word 0
	sumLimit = 1 << 127
)

// AddFloat64 adds x to the accumulator limbs, which has Limbs words.
func AddFloat64(limbs []int64, x float64) {
	limbs = limbs[:Limbs]
	if !(math.Abs(x) < sumLimit) {
		limbs[refused]++
		return
	}
	frac, exp := math.Frexp(math.Abs(x)) // |x| = frac * 2^exp, frac in [0.5, 1)
	m := uint64(frac * (1 << 53))        // |x| = m * 2^(exp-53)
	at := exp - 53 - lowest              // the bit position of m's lowest bit
	if at < 0 {
		m >>= min(-at, 63)
		at = 0
	}
	hi, lo := bits.Mul64(m, 1<<(at%32))
	w := at / 32
	for _, d := range [...]uint64{lo & math.MaxUint32, lo >> 32, hi} {
		if d == 0 {
			w++
			continue
		}
		if x < 0 {
			limbs[w] -= int64(d)
		} else {
			limbs[w] += int64(d)
		}
		w++
	}
}

// Float64 returns the float64 nearest to the sum, ties to even.
func Float64(limbs []int64) float64 {
	limbs = limbs[:Limbs]
	if limbs[refused] != 0 {
		return math.NaN()
	}
	d, negative := canonical(limbs)
	top := digits - 1
	for top > 0 && d[top] == 0 {
		top--
	}
	if d[top] == 0 {
		return 0
	}
	// The 64 bits from the highest one down, the lowest of them sticky.
	m, used := d[top], 0
	shift := bits.LeadingZeros64(m)
	m <<= shift
	for w := top - 1; w >= 0; w-- {
		used += 32
		if left := shift - used; left >= 0 {
			m |= d[w] << left
		} else if left > -32 {
			m |= d[w] >> -left
			if d[w]<<(64+left) != 0 {
				m |= 1
			}
		} else if d[w] != 0 {
			m |= 1
		}
	}
	f := math.Ldexp(float64(m), lowest+32*top-shift)
	if negative {
		return -f
	}
	return f
}

// canonical returns the absolute value of the sum with every digit but the highest
// below 2^32, and whether it is negative.
func canonical(limbs []int64) (d [digits]uint64, negative bool) {
	carried := carry([digits]int64(limbs[:digits]))
	if carried[digits-1] < 0 {
		for i := range carried {
			carried[i] = -carried[i]
		}
		carried = carry(carried)
		negative = true
	}
	for i, v := range carried {
		d[i] = uint64(v)
	}
	return d, negative
}

// carry moves what exceeds 32 bits to the next digit; the last one takes the sign.
func carry(v [digits]int64) [digits]int64 {
	for i := range digits - 1 {
		v[i+1] += v[i] >> 32
		v[i] &= math.MaxUint32
	}
	return v
}
