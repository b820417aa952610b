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
