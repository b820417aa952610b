// Package f64 has elementary functions in float64 whose bits are the same on every architecture. Those of the
// standard library are not: some are assembly, and the compiler may fuse a product and a sum where the machine can.
// Here every product is rounded before it is added to anything. Errors are a few units in the last place: enough for
// learning rates, tables and initial weights; nothing here is fast.
package f64

import "math"

const (
	ln2Hi = 6.93147180369123816490e-01 // the upper 33 bits of ln 2 (as in FDLIBM), so that k*ln2Hi is exact
	ln2Lo = 1.90821492927058770002e-10

	// Pi/2 in three parts of 33 bits (FDLIBM's pio2_1, pio2_2, pio2_3): k*part is exact for |k| < 2^20.
	pio2A = 1.57079632673412561417e+00
	pio2B = 6.07710050630396597660e-11
	pio2C = 2.02226624871116645580e-21
)

// Exp returns e^x, +Inf above and 0 below the range of float64, NaN for NaN.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709.782712893384:
		return math.Inf(1)
	case x < -745.2:
		return 0
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := x - float64(k*ln2Hi) - float64(k*ln2Lo)
	p := 1.0 // sum r^n/n!, |r| < 0.35
	for n := 15; n > 0; n-- {
		p = float64(p*r/float64(n)) + 1
	}
	return math.Ldexp(p, int(k))
}

// Log returns the natural logarithm of x: NaN below 0, -Inf at 0.
func Log(x float64) float64 {
	switch {
	case x != x || math.IsInf(x, 1):
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	s := (m - 1) / (m + 1) // ln m = 2 atanh s, |s| < 0.172
	z, p := s*s, 0.0
	for n := 23; n > 0; n -= 2 {
		p = float64(p*z) + 1/float64(n)
	}
	k := float64(e)
	return float64(k*ln2Hi) + (float64(2*s*p) + float64(k*ln2Lo))
}

// Pow returns x^y for x >= 0.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case x == 0 && y > 0:
		return 0
	}
	if n := math.Trunc(y); n == y && n >= 0 && n < 1<<31 {
		return PowInt(x, int(n))
	}
	return Exp(y * Log(x))
}

// PowInt returns x^n for n >= 0 by squaring.
func PowInt(x float64, n int) float64 {
	p := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			p *= x
		}
		x *= x
	}
	return p
}

// Sin returns the sine of x, |x| < 10^6.
func Sin(x float64) float64 { s, _ := sincos(x); return s }

// Cos returns the cosine of x, |x| < 10^6.
func Cos(x float64) float64 { _, c := sincos(x); return c }

func sincos(x float64) (sin, cos float64) {
	k := math.Floor(float64(x*(2/math.Pi)) + 0.5)
	r := x - float64(k*pio2A) - float64(k*pio2B) - float64(k*pio2C)
	z := r * r
	s, c := 1.0, 1.0 // Taylor, |r| <= pi/4
	for n := 18; n > 0; n -= 2 {
		s = 1 - float64(s*z/float64(n*(n+1)))
		c = 1 - float64(c*z/float64(n*(n-1)))
	}
	s *= r
	switch int(k) & 3 {
	case 1:
		return c, -s
	case 2:
		return -s, -c
	case 3:
		return -c, s
	}
	return s, c
}
