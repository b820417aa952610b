package f64

import (
	"math"
	"testing"

	"lockstep/internal/rng"
)

// near reports whether got is within rel of want; the standard library is right to 1 ulp, ours to a few.
func near(got, want, rel float64) bool {
	return got == want || math.Abs(got-want) <= rel*math.Abs(want) || got != got && want != want
}

func TestAgainstStandardLibrary(t *testing.T) {
	s := rng.New(1, rng.Weights, 0, 0, 0)
	for range 20000 {
		x := (s.Float64() - 0.5) * 1400
		if got, want := Exp(x), math.Exp(x); !near(got, want, 1e-15) {
			t.Fatalf("Exp(%v) = %v, want %v", x, got, want)
		}
		p := math.Exp(x)
		if got, want := Log(p), math.Log(p); !near(got, want, 1e-15) && math.Abs(got-want) > 1e-16 {
			t.Fatalf("Log(%v) = %v, want %v", p, got, want)
		}
		a := x * 100
		if got, want := Sin(a), math.Sin(a); math.Abs(got-want) > 5e-16 {
			t.Fatalf("Sin(%v) = %v, want %v", a, got, want)
		}
		if got, want := Cos(a), math.Cos(a); math.Abs(got-want) > 5e-16 {
			t.Fatalf("Cos(%v) = %v, want %v", a, got, want)
		}
		b, y := s.Float64()*20, (s.Float64()-0.5)*20
		if got, want := Pow(b, y), math.Pow(b, y); !near(got, want, 1e-13) {
			t.Fatalf("Pow(%v, %v) = %v, want %v", b, y, got, want)
		}
	}
}

func TestSpecialValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct{ got, want float64 }{
		{Exp(0), 1}, {Exp(-800), 0}, {Exp(800), inf}, {Exp(-inf), 0}, {Exp(inf), inf}, {Exp(nan), nan},
		{Log(1), 0}, {Log(0), -inf}, {Log(-1), nan}, {Log(inf), inf}, {Log(5e-324), -744.4400719213812},
		{Pow(2, 10), 1024}, {Pow(0, 0.5), 0}, {Pow(0, 0), 1}, {Pow(7, 0), 1}, {PowInt(0.5, 3), 0.125}, {PowInt(3, 0), 1},
		{Sin(0), 0}, {Cos(0), 1}, {Cos(math.Pi), -1},
	} {
		if !near(c.got, c.want, 1e-15) {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
}
