package fixed_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"lockstep/internal/fixed"
)

// scaled is the dumb reference: g * 2^scale as an exact number.
func scaled(g float32, scale int) *big.Float {
	return new(big.Float).SetMantExp(new(big.Float).SetPrec(256).SetFloat64(float64(g)), scale)
}

// roundEven rounds x to an integer, ties to even.
func roundEven(x *big.Float) int64 {
	twice, _ := new(big.Float).SetPrec(300).Mul(x, big.NewFloat(2)).Int(nil)
	floor := new(big.Int).Rsh(twice, 1) // for negative numbers Int truncates
	best, bestDist := int64(0), new(big.Float).SetInf(false)
	for d := int64(-2); d <= 2; d++ {
		c := floor.Int64() + d
		dist := new(big.Float).SetPrec(300).Sub(x, new(big.Float).SetInt64(c))
		dist.Abs(dist)
		if k := dist.Cmp(bestDist); k < 0 || k == 0 && c%2 == 0 {
			best, bestDist = c, dist
		}
	}
	return best
}

func randomFloat(r *rand.Rand) float32 {
	for {
		if f := math.Float32frombits(r.Uint32()); !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) {
			return f
		}
	}
}

func TestAccumulateRoundsToEven(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		g := randomFloat(r)
		_, e := math.Frexp(float64(g))
		scale := min(max(r.IntN(60)-5-e, fixed.MinScale), fixed.MaxScale)
		acc := []int64{int64(r.Uint64() >> 12)}
		before := acc[0]
		f := fixed.Accumulate(acc, false, scale, []float32{g})
		x := scaled(g, scale)
		if tooLarge := new(big.Float).Abs(x).Cmp(big.NewFloat(1<<51)) > 0; tooLarge != (f&fixed.TooLarge != 0) {
			t.Fatalf("%g * 2^%d: flags %b", g, scale, f)
		} else if tooLarge {
			continue
		}
		if got, want := acc[0]-before, roundEven(x); got != want {
			t.Fatalf("%g * 2^%d: added %d, want %d", g, scale, got, want)
		}
	}
}

func TestAccumulateFlags(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	const n, a14, a27, a40 = fixed.NonZero, fixed.Above14, fixed.Above27, fixed.Above40
	for _, c := range []struct {
		g    []float32
		want fixed.Flags
	}{
		{nil, 0},
		{[]float32{0, float32(math.Copysign(0, -1))}, 0},
		{[]float32{0, 1e-30}, n},
		{[]float32{16383}, n},
		{[]float32{-16384}, n | a14},
		{[]float32{1, 1 << 27}, n | a14 | a27},
		{[]float32{1 << 40, 3}, n | a14 | a27 | a40},
		{[]float32{1 << 51}, n | a14 | a27 | a40},
		{[]float32{-1 << 51 * 1.0001}, n | a14 | a27 | a40 | fixed.TooLarge},
		{[]float32{math.MaxFloat32}, n | a14 | a27 | a40 | fixed.TooLarge},
		{[]float32{1, inf}, fixed.NonFinite},
		{[]float32{-inf}, fixed.NonFinite},
		{[]float32{1, nan, 2}, fixed.NonFinite},
		{[]float32{nan, math.MaxFloat32}, fixed.NonFinite},
	} {
		if got := fixed.Accumulate(make([]int64, len(c.g)), true, 0, c.g); got != c.want {
			t.Errorf("%v: flags %06b, want %06b", c.g, got, c.want)
		}
	}
}

func TestFlagsRideInASum(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		var sum int64
		var union fixed.Flags
		for range 1 + r.IntN(fixed.MaxWords) {
			f := fixed.Flags(1<<r.IntN(6)) & fixed.Flags(r.IntN(64))
			sum, union = sum+f.Word(), union|f
		}
		if got := fixed.FlagsOf(sum); got != union {
			t.Fatalf("union %06b, want %06b", got, union)
		}
	}
}

func TestFloat32RoundsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	check := func(a int64, scale int) {
		dst := make([]float32, 1)
		fixed.Float32(dst, []int64{a}, scale)
		want, _ := new(big.Float).SetMantExp(new(big.Float).SetInt64(a), -scale).Float32()
		if math.Float32bits(dst[0]) != math.Float32bits(want) && !(want == 0 && dst[0] == 0) {
			t.Fatalf("%d * 2^-%d = %g, want %g", a, scale, dst[0], want)
		}
	}
	for range 50000 {
		a := int64(r.Uint64()) >> r.IntN(64)
		if r.IntN(2) == 0 { // close to a tie of the rounding to 24 bits
			a = int64(1)<<r.IntN(63) + int64(1)<<r.IntN(63) + int64(r.IntN(3)-1)
		}
		check(a, fixed.MinScale+r.IntN(fixed.MaxScale-fixed.MinScale+1))
	}
	for _, a := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1<<53 + 1, -1<<53 - 1, 1<<62 + 1<<38, 1<<62 + 1<<38 + 1} {
		for scale := fixed.MinScale; scale <= fixed.MaxScale; scale++ {
			check(a, scale)
		}
	}
}

func TestAnyOrderGivesTheSameSum(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const n, parts = 257, 40
	grads := make([][]float32, parts)
	for i := range grads {
		grads[i] = make([]float32, n)
		for j := range grads[i] {
			grads[i][j] = float32(r.NormFloat64()) * float32(math.Ldexp(1, r.IntN(20)))
		}
	}
	sum := func(order []int, groups int) []int64 {
		accs := make([][]int64, groups)
		for g := range accs {
			accs[g] = make([]int64, n)
		}
		for i, p := range order {
			fixed.Accumulate(accs[i%groups], false, 20, grads[p])
		}
		for _, a := range accs[1:] {
			for j := range a {
				accs[0][j] += a[j]
			}
		}
		return accs[0]
	}
	want := sum(r.Perm(parts), 1)
	for groups := 1; groups < 9; groups++ {
		got := sum(r.Perm(parts), groups)
		for j := range got {
			if got[j] != want[j] {
				t.Fatalf("%d groups: element %d is %d, want %d", groups, j, got[j], want[j])
			}
		}
	}
}

// TestAccumulateLast compares it with Accumulate and Float32.
func TestAccumulateLast(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{0, 1, 7, 2048, 5003} {
		for many := range 5 {
			grads := make([][]float32, many)
			for i := range grads {
				grads[i] = make([]float32, n)
				for j := range grads[i] {
					grads[i][j] = float32(r.NormFloat64())
				}
			}
			for _, fresh := range []bool{false, true} {
				acc, got, want := make([]int64, n), make([]float32, n), make([]float32, n)
				for i := range acc {
					acc[i] = int64(r.Uint64() >> 25)
				}
				other := append([]int64(nil), acc...)
				f := fixed.Accumulate(other, fresh, 30, grads...)
				fixed.Float32(want, other, 30)
				if g := fixed.AccumulateLast(got, acc, fresh, 30, grads...); g != f {
					t.Errorf("%d gradients of %d: flags %b, want %b", many, n, g, f)
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%d gradients of %d, fresh %v: element %d is %x, want %x", many, n, fresh, i, got[i], want[i])
					}
				}
			}
		}
	}
}
