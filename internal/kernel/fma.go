package kernel

import "math"

// fma returns x*y + z rounded once, as the FMA instructions do.
//
// The product of two float32 is exact in float64, so s is the exact sum rounded to 53 bits, and rounding that to 24 bits
// is wrong only if s lies half-way between two float32 without being exact. That is only possible if the 29 bits that go
// away are 1000..., or if the result is subnormal, where more bits go away: fmaOdd does those.
func fma(x, y, z float32) float32 {
	s := float64(x)*float64(y) + float64(z)
	if b := math.Float64bits(s); b&(1<<29-1) != 1<<28 && b<<1 >= 897<<53 {
		return float32(s)
	}
	return fmaOdd(x, y, z)
}

// fmaOdd is fma for all arguments: it rounds the sum to odd (the last bit is 1 if anything was cut off), after which
// a second rounding to fewer than 51 bits is right. S. Boldo, G. Melquiond, "Emulation of FMA and correctly rounded
// sums", IEEE Transactions on Computers 57(4), 2008.
func fmaOdd(x, y, z float32) float32 {
	p, a := float64(x)*float64(y), float64(z)
	s := p + a
	t := s - p
	e := (p - (s - t)) + (a - t) // s + e is p + a exactly (Knuth's TwoSum)
	if b := math.Float64bits(s); b&1 == 0 && e != 0 && !math.IsNaN(e) {
		if (e > 0) == (s > 0) {
			b++
		} else {
			b--
		}
		s = math.Float64frombits(b)
	}
	return float32(s)
}
