package fixed_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"lockstep/internal/fixed"
)

// truncated is x without its bits below 2^-64.
func truncated(x float64) *big.Float {
	n, _ := new(big.Float).SetMantExp(new(big.Float).SetPrec(2000).SetFloat64(x), 64).Int(nil)
	return new(big.Float).SetMantExp(new(big.Float).SetPrec(2000).SetInt(n), -64)
}

func checkSum(t *testing.T, xs []float64) {
	t.Helper()
	var a, b fixed.Sum
	want := new(big.Float).SetPrec(2000)
	for i, x := range xs {
		part := &a
		if i%2 == 1 {
			part = &b
		}
		fixed.AddFloat64(part[:], x)
		want.Add(want, truncated(x))
	}
	for i := range a {
		a[i] += b[i]
	}
	if w, _ := want.Float64(); fixed.Float64(a[:]) != w {
		t.Fatalf("sum of %d values is %g, want %g", len(xs), fixed.Float64(a[:]), w)
	}
}

func TestSumIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		xs := make([]float64, r.IntN(50))
		span := 1 + r.IntN(190)
		for i := range xs {
			xs[i] = math.Ldexp(r.Float64()*2-1, 126-r.IntN(span))
			if r.IntN(3) == 0 && i > 0 {
				xs[i] = -xs[i-1]
			}
		}
		checkSum(t, xs)
	}
}

func TestSumEdges(t *testing.T) {
	tiny := math.Ldexp(1, -64)
	for _, xs := range [][]float64{
		nil, {0}, {tiny}, {-tiny}, {tiny / 2}, {-tiny / 2, tiny}, {1e30, -1e30, tiny}, {1e30, tiny, -1e30},
		{math.Ldexp(1, 126), math.Ldexp(1, 126), math.Ldexp(1, 126)}, {math.SmallestNonzeroFloat64},
		{1 << 53, 1}, {1 << 53, 3}, {1 << 53, 1, tiny}, {-1 << 53, -1, -tiny}, {1<<53 + 2, 1},
	} {
		checkSum(t, xs)
	}
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Ldexp(1, 127)} {
		var s fixed.Sum
		fixed.AddFloat64(s[:], 1)
		fixed.AddFloat64(s[:], x)
		if f := fixed.Float64(s[:]); !math.IsNaN(f) {
			t.Errorf("1 + %g = %g, want NaN", x, f)
		}
	}
}

func FuzzSum(f *testing.F) {
	f.Add(1.5, -2.25, 1e30)
	f.Add(math.Ldexp(1, -64), math.Ldexp(1, 126), -math.Ldexp(1, -65))
	f.Fuzz(func(t *testing.T, a, b, c float64) {
		for _, x := range []float64{a, b, c} {
			if !(math.Abs(x) < math.Ldexp(1, 127)) {
				t.Skip()
			}
		}
		checkSum(t, []float64{a, b, c, a})
	})
}
