package dataset

import (
	"math"

	"lockstep/internal/rng"
)

// The elementary functions of augmentation. Their operations come in a fixed order and are not fused, so that they give the
// same bits on every machine; math's need not.

// ln is the natural logarithm of a positive number, as 2*artanh((x-1)/(x+1)).
func ln(x float64) float64 {
	f, e := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f, e = 2*f, e-1
	}
	s := (f - 1) / (f + 1)
	z, sum := float64(s*s), 0.0
	for k := 23; k >= 1; k -= 2 {
		sum = float64(sum*z) + 1/float64(k)
	}
	return float64(2*s*sum) + float64(float64(e)*math.Ln2)
}

// sinCos is by the Taylor series, for angles up to half a turn.
func sinCos(x float64) (sin, cos float64) {
	z := float64(x * x)
	sin, cos = 1, 1
	for k := 15; k >= 1; k-- {
		sin = 1 - float64(z/float64(2*k*(2*k+1))*sin)
		cos = 1 - float64(z/float64((2*k-1)*2*k)*cos)
	}
	return float64(x * sin), cos
}

// exp is the exponential function, as 2^k times the Taylor series of what is left of x; 0 or +Inf out of the range of float64.
func exp(x float64) float64 {
	switch {
	case x < -745:
		return 0
	case x > 709:
		return math.Inf(1)
	}
	k := math.Floor(float64(x/math.Ln2) + 0.5)
	r := x - float64(k*math.Ln2)
	sum := 1.0
	for i := 18; i >= 1; i-- {
		sum = 1 + float64(r/float64(i)*sum)
	}
	return math.Ldexp(sum, int(k))
}

// lnGamma draws the logarithm of a number of the gamma distribution with the given shape (Marsaglia and Tsang, "A simple
// method for generating gamma variables", 2000; below 1 by way of shape+1). In logarithms small shapes do not underflow.
func lnGamma(s *rng.Stream, shape float64) float64 {
	if shape < 1 {
		more := lnGamma(s, shape+1)
		return more + ln(1-s.Float64())/shape
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x, _ := normals(s)
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		v = float64(float64(v*v) * v)
		if ln(1-s.Float64()) < float64(float64(0.5*x)*x)+d-float64(d*v)+float64(d*ln(v)) {
			return ln(d) + ln(v)
		}
	}
}

// beta draws from the distribution Beta(alpha, alpha), as x/(x+y) of two gamma variables.
func beta(s *rng.Stream, alpha float64) float64 {
	x := lnGamma(s, alpha)
	return 1 / (1 + exp(lnGamma(s, alpha)-x))
}

// normals are two numbers of the standard normal distribution (Marsaglia's polar method).
func normals(s *rng.Stream) (float64, float64) {
	for {
		u, v := 2*s.Float64()-1, 2*s.Float64()-1
		q := float64(u*u) + float64(v*v)
		if q > 0 && q < 1 {
			r := math.Sqrt(-2 * ln(q) / q)
			return float64(u * r), float64(v * r)
		}
	}
}
