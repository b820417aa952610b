package model

import (
	"math"
	"slices"
	"sync"
	"testing"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// Kept values are scaled by 1/(1-rate), the rest is zero, the gradient has the same mask, and which are kept is what
// the documented stream says.
func TestDropout(t *testing.T) {
	const n, width, rate = 40, 101, 0.3
	r := newRig(t, spec.Layer{Type: "dropout", Rate: rate}, shape{dims: []int{width}}, n, true)
	r.c.key = Key{Seed: 7, Step: 8, Micro: 9}
	x := make([]float32, n*width)
	for i := range x {
		x[i] = float32(i + 1)
	}
	y := slices.Clone(r.unit.forward(&r.c, x))
	dy := r.unit.backward(&r.c, slices.Clone(x))
	s := rng.New(7, rng.Dropout, 8, 9, 0)
	scale, kept := float32(1/(1-rate)), 0
	for i, v := range y {
		want := float32(0)
		if float64(s.Uint32()) >= math.Floor(rate*(1<<32)) {
			want = x[i] * scale
			kept++
		}
		if v != want || dy[i] != want {
			t.Fatalf("element %d: %v and gradient %v, want %v", i, v, dy[i], want)
		}
	}
	if share := float64(kept) / (n * width); math.Abs(share-(1-rate)) > 0.03 {
		t.Errorf("%v are kept", share)
	}
	r.c.train = false
	if y := r.unit.forward(&r.c, x); !sameBits(y, x) {
		t.Error("dropout outside training")
	}
}

func TestEveryDropoutLayerHasItsOwnMask(t *testing.T) {
	r := newRig(t, spec.Layer{Type: "residual", Layers: []spec.Layer{{Type: "dropout", Rate: 0.5}, {Type: "dropout", Rate: 0.5}}},
		shape{dims: []int{1000}}, 1, true)
	x := make([]float32, 1000)
	for i := range x {
		x[i] = 1
	}
	kept := 0
	for _, v := range r.unit.forward(&r.c, x) {
		if v != 1 {
			kept++
		}
	}
	if kept < 200 || kept > 300 { // a quarter, if the masks are independent
		t.Errorf("%d of 1000 pass two dropouts of one half", kept)
	}
}

// Passes share weights: run at the same time, each gives the bits that it gives alone.
func TestPassesShareWeights(t *testing.T) {
	job := mlp()
	n, w := loaded(t, job, mlpData)
	want := train(t, n.NewPass(9), w, mlpBatch(9), Key{Micro: 1})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p, grad, stats := n.NewPass(9), make([]float32, n.size), make([]float64, n.stats)
			for range 20 {
				if err := p.Train(w, mlpBatch(9), Key{Micro: 1}, grad, stats, nil); err != nil {
					t.Error(err)
				}
				if !sameBits(grad, want.grad) {
					t.Error("a pass beside others gives other bits")
					return
				}
			}
		})
	}
	wg.Wait()
}
