package kernel

import (
	"flag"
	"math"
	"testing"
)

// stride selects every so many of all float32 for the tests of elementary functions; 1 takes an hour.
var stride = flag.Uint64("stride", 16411, "step through the bit patterns of float32")

// ulps is the distance of got from want in units of the last place of the float32 next to want.
func ulps(got float32, want float64) float64 {
	switch w := float32(want); {
	case math.IsNaN(want):
		if got == got {
			return math.Inf(1)
		}
		return 0
	case got == w:
		return 0
	case math.IsInf(float64(w), 0) || math.IsInf(float64(got), 0) || got != got:
		return math.Inf(1)
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e, -125)-24)
}

var elementary = []struct {
	name  string
	slice func(dst, x []float32)
	f     func(float32) float32
	exact func(float64) float64
	limit float64
}{
	{"exp", Exp, exp, math.Exp, 1},
	{"expm1", Expm1, expm1, math.Expm1, 2},
	{"log", Log, log, math.Log, 1},
	{"log1p", Log1p, log1p, math.Log1p, 2},
	{"tanh", Tanh, tanh, math.Tanh, 2},
	{"sigmoid", Sigmoid, sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 2},
	{"softplus", Softplus, softplus, softplus64, 2},
	{"erf", Erf, erf, math.Erf, 1},
}

func softplus64(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }

func TestElementaryAccuracy(t *testing.T) {
	for _, e := range elementary {
		worst, at := 0.0, float32(0)
		for b := uint64(0); b < 1<<32; b += *stride {
			x := math.Float32frombits(uint32(b))
			if u := ulps(e.f(x), e.exact(float64(x))); u > worst {
				worst, at = u, x
			}
		}
		t.Logf("%s: %.3f ulp at %x", e.name, worst, at)
		if worst > e.limit {
			t.Errorf("%s(%x) = %x is %.3f ulp from %x", e.name, at, e.f(at), worst, e.exact(float64(at)))
		}
	}
}

// TestElementaryBits compares the slice functions with the plain ones over a sample of all float32.
func TestElementaryBits(t *testing.T) {
	const block = 4096 - 3
	x, got, want := make([]float32, block), make([]float32, block), make([]float32, block)
	for _, e := range elementary {
		for b := uint64(0); b < 1<<32; {
			for i := range x {
				x[i] = math.Float32frombits(uint32(b))
				want[i] = e.f(x[i])
				b += *stride
			}
			e.slice(got, x)
			sameBits(t, e.name, got, want)
		}
	}
}

func BenchmarkElementary(b *testing.B) {
	x, y := random(4096, 1), make([]float32, 4096)
	for _, e := range elementary {
		b.Run(e.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.slice(y, x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/elem")
		})
	}
}
