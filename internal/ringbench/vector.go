package ringbench

import (
	"math/rand/v2"

	"lockstep/internal/fixed"
)

// scale is what training settles at for values of this size: the largest sum has 36 or 37 bits.
const scale = 35

// vector is a gradient of normal deviates, as float32 and as sums in fixed point.
type vector struct {
	gradient []float32
	sum      []float32
	acc      []int64
}

func newVector(n int) *vector {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	v := &vector{gradient: make([]float32, n), sum: make([]float32, n), acc: make([]int64, n)}
	for i := range v.gradient {
		v.gradient[i] = float32(r.NormFloat64() / 4)
	}
	return v
}

// reset makes the next reduction begin where the first one did.
func (v *vector) reset(exact bool) {
	if !exact {
		copy(v.sum, v.gradient)
		return
	}
	fixed.Accumulate(v.acc, true, scale, v.gradient)
}

// convert is a ring.Convert.
func (v *vector) convert(dst []float32, acc []int64, _ int) error {
	fixed.Float32(dst, acc, scale)
	return nil
}
