package fixed_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"lockstep/internal/fixed"
)

// step reduces the gradients of one step under the rule, as a trainer would, and
// returns the sums, how often it was redone, and the largest scaled sum.
func step(t *testing.T, s fixed.Scales, grads [][]float32) (sums []float32, redone int, units float64) {
	t.Helper()
	n := len(grads[0])
	for {
		acc := make([]int64, n)
		var f fixed.Flags
		for _, g := range grads {
			f |= fixed.Accumulate(acc, false, int(s[0]), g)
		}
		sums = make([]float32, n)
		fixed.Float32(sums, acc, int(s[0]))
		for _, a := range acc {
			units = max(units, math.Abs(float64(a)))
		}
		next, redo := s.Next(0, fixed.MaxAbs(sums), f)
		if !redo {
			if f.Failed() {
				t.Fatalf("accepted a step with flags %06b", f)
			}
			units = math.Ldexp(float64(fixed.MaxAbs(sums)), int(s[0]))
			s[0] = next
			return sums, redone, units
		}
		s[0] = next
		if redone++; redone > 10 {
			t.Fatal("the step is redone for ever")
		}
	}
}

func gaussian(r *rand.Rand, n int, size float64) []float32 {
	g := make([]float32, n)
	for i := range g {
		g[i] = float32(r.NormFloat64() * size)
	}
	return g
}

func batch(r *rand.Rand, m, n int, size float64) [][]float32 {
	gs := make([][]float32, m)
	for i := range gs {
		gs[i] = gaussian(r, n, size)
	}
	return gs
}

func TestScaleSettlesOnTarget(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	s := fixed.NewScales(1)
	for i := range 50 {
		gs := batch(r, 8, 100, 3e-4)
		_, redone, units := step(t, s, gs)
		if i > 0 && (redone > 0 || units < 1<<35 || units >= 1<<39) {
			t.Fatalf("step %d: largest sum %g units, redone %d times", i, units, redone)
		}
	}
}

func TestScaleSurvivesJumps(t *testing.T) {
	for _, jump := range []int{1, 5, 10, 14, 15, 20, 30, 40, 50} {
		for _, sign := range []int{1, -1} {
			r := rand.New(rand.NewPCG(5, uint64(jump)))
			s := fixed.NewScales(1)
			size := 1.0
			for i := range 6 {
				_, redone, _ := step(t, s, batch(r, 4, 50, size))
				if redone > 2 || i > 1 && redone > 0 && i != 3 {
					t.Errorf("jump of 2^%d: step %d redone %d times", sign*jump, i, redone)
				}
				if i == 2 {
					size *= math.Ldexp(1, sign*jump)
				}
			}
		}
	}
}

func TestScaleOfSlowDriftNeverRedoes(t *testing.T) {
	for _, factor := range []float64{1.9, 1 / 1.9} {
		r := rand.New(rand.NewPCG(5, 5))
		s := fixed.NewScales(1)
		size := 1.0
		for range 60 { // 2^55 and more
			if _, redone, _ := step(t, s, batch(r, 4, 50, size)); redone > 0 {
				t.Fatalf("size %g: redone", size)
			}
			size *= factor
		}
	}
}

func TestScaleOfZerosStays(t *testing.T) {
	s := fixed.NewScales(1)
	s[0] = 77
	for range 3 {
		if _, redone, _ := step(t, s, [][]float32{{0, 0}, {0, 0}}); redone > 0 || s[0] != 77 {
			t.Fatalf("scale %d, redone %d times", s[0], redone)
		}
	}
}

// Values that cancel in the sum must not be raised until they do not fit, fall,
// and be raised again.
func TestScaleOfCancellingValuesIsStable(t *testing.T) {
	for _, left := range []float32{0, 1e-3, 1e-9, 1e-20} {
		s := fixed.NewScales(1)
		total := 0
		for range 20 {
			_, redone, _ := step(t, s, [][]float32{{1, left}, {-1, 0}})
			total += redone
		}
		if total > 2 {
			t.Errorf("left %g: %d redos in 20 steps", left, total)
		}
	}
}

func TestScaleFirstStepOfAnySize(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for e := -140; e <= 120; e++ {
		s := fixed.NewScales(1)
		sums, redone, units := step(t, s, batch(r, 2, 20, math.Ldexp(1, e)))
		if units < 1<<23 && fixed.MaxAbs(sums) > 0 && e > -120 {
			t.Errorf("size 2^%d: accepted with %g units", e, units)
		}
		if -40 <= e && e <= 55 && redone > 2 || redone > 6 {
			t.Errorf("size 2^%d: redone %d times", e, redone)
		}
	}
}

func TestScaleIgnoresWhatIsNotFinite(t *testing.T) {
	s := fixed.Scales{12}
	for _, c := range []struct {
		m float32
		f fixed.Flags
	}{
		{1, fixed.NonFinite}, {float32(math.NaN()), fixed.NonFinite | fixed.TooLarge},
		{float32(math.Inf(1)), fixed.NonZero | fixed.Above40}, {float32(math.NaN()), fixed.NonZero},
	} {
		if next, redo := s.Next(0, c.m, c.f); next != 12 || redo {
			t.Errorf("%g %06b: %d, %v", c.m, c.f, next, redo)
		}
	}
}

// The error of the exact sum, against float64, is not above that of float32
// additions in ring order: over the tensor, in the sense of the largest error, with
// the half unit a value that the fixed point itself has.
func TestErrorAgainstFloat32Ring(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 4))
	for trial := range 300 {
		m, n := 2+r.IntN(15), 1+r.IntN(300)
		gs := make([][]float32, m)
		span := r.IntN(60)
		for i := range gs {
			gs[i] = gaussian(r, n, math.Ldexp(1, r.IntN(80)-40))
			for j := range gs[i] {
				gs[i][j] *= float32(math.Ldexp(1, -r.IntN(span+1)))
			}
		}
		s := fixed.NewScales(1)
		sums, _, units := step(t, s, gs)
		unit := float64(fixed.MaxAbs(sums)) / units
		var exactErr, ringErr float64
		for j := range n {
			var f64 float64
			var f32 float32
			for i := range gs {
				f64 += float64(gs[i][j])
				f32 += gs[i][j]
			}
			exactErr = max(exactErr, math.Abs(float64(sums[j])-f64))
			ringErr = max(ringErr, math.Abs(float64(f32)-f64))
		}
		if units > 0 && exactErr > ringErr+float64(m)/2*unit {
			t.Errorf("trial %d: error %g, float32 ring %g", trial, exactErr, ringErr)
		}
	}
}
