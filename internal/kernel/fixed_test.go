package kernel

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"lockstep/internal/rng"
)

// fixedExact is v * 2^scale rounded to even.
func fixedExact(v float32, scale int) int64 {
	f := math.RoundToEven(math.Ldexp(float64(v), scale))
	return int64(f)
}

func TestFixedAccumulate(t *testing.T) {
	s := rng.New(1, rng.Weights, 0, 0, 0)
	for _, scale := range []int{-3, 0, 10, 30, 44} {
		for _, n := range []int{0, 1, 3, 7, 8, 9, 16, 23, 100} {
			g, acc, want, top := make([]float32, n), make([]int64, n), make([]int64, n), float32(0)
			for i := range g {
				g[i] = (s.Float32() - 0.5) * 200
				if i%5 == 0 { // half-way cases
					g[i] = (float32(s.IntN(41)) - 20.5) * float32(math.Ldexp(1, -scale))
				}
				acc[i] = int64(s.Uint64())
				want[i] = acc[i] + fixedExact(g[i], scale)
				top = max(top, max(g[i], -g[i]))
			}
			if got := FixedAccumulate(acc, false, scale, g); got != math.Float32bits(top) {
				t.Fatalf("FixedAccumulate of %d returns %x, want the bits of %v", n, got, top)
			}
			if !slices.Equal(acc, want) {
				t.Fatalf("FixedAccumulate scale %d: %v, want %v", scale, acc, want)
			}
		}
	}
}

// One pass with two gradients is two passes with one, also on fresh accumulators.
func TestFixedAccumulatePair(t *testing.T) {
	s := rng.New(3, rng.Weights, 0, 0, 0)
	for _, n := range []int{0, 1, 7, 8, 9, 16, 100, 1001} {
		for _, fresh := range []bool{false, true} {
			g, h, acc, want := make([]float32, n), make([]float32, n), make([]int64, n), make([]int64, n)
			for i := range g {
				g[i], h[i] = s.Float32()-0.5, (s.Float32()-0.5)*1000
				acc[i] = int64(s.Uint64())
				if !fresh {
					want[i] = acc[i]
				}
				want[i] += fixedExact(g[i], 30) + fixedExact(h[i], 30)
			}
			top := max(FixedAccumulate(make([]int64, n), true, 30, g), FixedAccumulate(make([]int64, n), true, 30, h))
			if got := FixedAccumulatePair(acc, fresh, 30, g, h); got != top || !slices.Equal(acc, want) {
				t.Fatalf("%d elements, fresh %v: largest %x, want %x; sums %v, want %v", n, fresh, got, top, acc, want)
			}
			one := slices.Repeat([]int64{5}, n)
			FixedAccumulate(one, true, 30, g)
			for i := range one {
				if one[i] != fixedExact(g[i], 30) {
					t.Fatalf("fresh: %d at %d of %d", one[i], i, n)
				}
			}
		}
	}
}

func TestFixedAccumulateNonFinite(t *testing.T) {
	for n := range 20 {
		for i := range n {
			g := make([]float32, n)
			g[i] = float32(math.Inf(-1))
			if got := FixedAccumulate(make([]int64, n), true, 5, g); got != infBits {
				t.Fatalf("Inf at %d of %d: %x", i, n, got)
			}
			g[(i+1)%n] = -float32(math.NaN())
			if got := FixedAccumulate(make([]int64, n), true, 5, g); got <= infBits {
				t.Fatalf("NaN beside Inf at %d of %d: %x", i, n, got)
			}
		}
	}
}

func TestFixedToFloat(t *testing.T) {
	s := rng.New(2, rng.Weights, 0, 0, 0)
	for _, scale := range []int{-70, 0, 20, 44, 150, 190} {
		acc := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 53, 1<<53 + 1, -1<<53 - 1, 1<<54 + 1<<30 + 1, 1<<54 + 1<<30,
			1<<54 - 1<<30, 1<<54 + 3<<30, 1<<62 + 1<<38 + 1, 1<<62 + 3<<38 - 1, -1<<62 - 1<<38 - 1, 1<<24 + 1, 1<<25 + 3}
		for range 1001 {
			acc = append(acc, int64(s.Uint64())>>s.IntN(64))
		}
		for shift := range 64 { // many of a size
			for range 17 {
				acc = append(acc, int64(s.Uint64())>>shift)
			}
		}
		for range 8 {
			acc = append(acc, 1<<51-1, -1<<51, 0, 7)
		}
		dst := make([]float32, len(acc))
		FixedToFloat(dst, acc, scale)
		for i, v := range acc {
			f := new(big.Float).SetInt64(v)
			f.SetMantExp(f, -scale)
			if want, _ := f.Float32(); dst[i] != want {
				t.Fatalf("FixedToFloat(%d, scale %d) = %x, want %x", v, scale, dst[i], want)
			}
		}
	}
}

func TestFixedScaleOutOfRange(t *testing.T) {
	for _, scale := range []int{-801, 801} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic at scale %d", scale)
				}
			}()
			FixedAccumulate(nil, false, scale, nil)
		}()
	}
}

func BenchmarkFixedAccumulate(b *testing.B) {
	g, acc := random(4096, 1), make([]int64, 4096)
	b.ReportAllocs()
	for b.Loop() {
		FixedAccumulate(acc, false, 30, g)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/elem")
}
