package fixed_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"lockstep/internal/fixed"
)

func TestRoundBF16(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 100000 {
		v := math.Float32frombits(r.Uint32())
		if r.IntN(3) == 0 { // a tie
			v = math.Float32frombits(r.Uint32()&^0xffff | 0x8000)
		}
		x := []float32{v}
		fixed.RoundBF16(x)
		if math.IsNaN(float64(v)) {
			if !math.IsNaN(float64(x[0])) {
				t.Fatalf("NaN %x became %g", math.Float32bits(v), x[0])
			}
			continue
		}
		// The two neighbours, as numbers: beyond the largest is 2^128.
		low := math.Float32bits(v) &^ 0xffff
		a, b := float64(math.Float32frombits(low)), float64(math.Float32frombits(low+0x10000))
		if low&0x7fffffff == 0x7f7f0000 {
			b = math.Copysign(0x1p128, a)
		}
		da, db := math.Abs(float64(v)-a), math.Abs(float64(v)-b)
		want := low
		if db < da || db == da && low>>16&1 == 1 {
			want = low + 0x10000
		}
		if got := math.Float32bits(x[0]); got != want {
			t.Fatalf("%g (%x) became %x, want %x", v, math.Float32bits(v), got, want)
		}
	}
}

// Under the rule Short sums take three bytes, and the step is as seldom redone.
func TestShortRule(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	scale, size, redone := int32(fixed.StartScale), 1.0, 0
	for step := range 60 {
		if step == 20 {
			size = 0x1p40
		}
		if step == 40 {
			size = 1
		}
		gs := batch(r, 8, 200, size)
		for {
			acc := make([]int64, 200)
			var f fixed.Flags
			for _, g := range gs {
				fixed.RoundBF16(g)
				f |= fixed.Accumulate(acc, false, int(scale), g)
			}
			sums := make([]float32, len(acc))
			fixed.Float32(sums, acc, int(scale))
			next, redo := fixed.Short.Next(scale, fixed.MaxAbs(sums), f)
			scale = next
			if !redo {
				if n := (fixed.Packing{}).Pack(make([]byte, 2000), acc); step%20 > 1 && n > 3*len(acc)+1 {
					t.Errorf("step %d: %d bytes for %d values", step, n, len(acc))
				}
				break
			}
			if redone++; redone > 6 {
				t.Fatal("redone too often")
			}
		}
	}
}
