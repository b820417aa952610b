package optim

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// rules is every rule with every switch, each with clipping.
func rules() map[string]spec.Optimizer {
	m := map[string]spec.Optimizer{
		"sgd":      {Type: "sgd"},
		"momentum": {Type: "sgd", Momentum: 0.9},
		"nesterov": {Type: "sgd", Momentum: 0.9, Nesterov: true, WeightDecay: 0.1},
		"adam":     {Type: "adam", Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1},
		"adamw":    {Type: "adamw", Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1},
		"amsgrad":  {Type: "amsgrad", Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8},
		"rmsprop":  {Type: "rmsprop", Rho: 0.9, Epsilon: 1e-8},
		"centered": {Type: "rmsprop", Rho: 0.9, Epsilon: 1e-8, Centered: true, Momentum: 0.5},
		"adagrad":  {Type: "adagrad", Epsilon: 1e-8, InitialAcc: 0.1},
	}
	for k, o := range m {
		o.ClipGlobalNorm = 3
		m[k] = o
	}
	return m
}

const size = 50016

// tensors has a tensor of several blocks, a frozen and a moving one, and gaps between them.
func tensors() []Range {
	return []Range{{Off: 0, Len: 40003, L1: 0.01, L2: 0.02}, {Off: 40016, Len: 5, Frozen: true},
		{Off: 40032, Len: 7, Moving: true, Momentum: 0.75}, {Off: 40048, Len: 9953}}
}

func random(seed uint64, n int) []float32 {
	s := rng.New(seed, rng.Weights, 0, 0, 0)
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*s.Float32() - 1
	}
	return v
}

// state is what three updates made.
type state struct {
	params []float32
	slots  [][]float32
	norms  []float64
}

type runner func(n int, do func(i int))

func threeUpdates(t *testing.T, s spec.Optimizer, run runner) state {
	t.Helper()
	o, err := New(s, tensors(), size)
	if err != nil {
		t.Fatal(err)
	}
	r := state{params: random(1, size)}
	for range o.Slots() {
		r.slots = append(r.slots, make([]float32, size))
	}
	o.InitState(r.slots)
	for step := range 3 {
		r.norms = append(r.norms, o.UpdateOn(run, r.params, r.slots, random(uint64(step+2), size), 5, 0.01, uint64(step+1)))
	}
	return r
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func TestBlocksInAnyOrderGiveTheSameBits(t *testing.T) {
	backwards := func(n int, do func(i int)) {
		for i := n - 1; i >= 0; i-- {
			do(i)
		}
	}
	atOnce := func(n int, do func(i int)) {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { do(i) })
		}
		wg.Wait()
	}
	for name, s := range rules() {
		want := threeUpdates(t, s, inOrder)
		for _, run := range []runner{backwards, atOnce} {
			got := threeUpdates(t, s, run)
			if !sameBits(got.params, want.params) || !slices.EqualFunc(got.slots, want.slots, sameBits) ||
				!slices.Equal(got.norms, want.norms) {
				t.Errorf("%s: the bits depend on the order of blocks", name)
			}
		}
	}
}

func TestWhatAnUpdateTouches(t *testing.T) {
	before := random(1, size)
	for name, s := range rules() {
		after := threeUpdates(t, s, inOrder).params
		moved := 0
		for i, v := range after {
			kind := "gap"
			for _, r := range tensors() {
				if i >= r.Off && i < r.Off+r.Len {
					kind = "trainable"
					if r.Frozen {
						kind = "frozen"
					}
					if r.Moving {
						kind = "moving"
					}
				}
			}
			if v != before[i] {
				moved++
				if kind == "gap" || kind == "frozen" {
					t.Fatalf("%s: element %d, %s, changed", name, i, kind)
				}
			}
		}
		if moved < 40000 {
			t.Errorf("%s: only %d elements changed", name, moved)
		}
	}
}

func TestMovingAverage(t *testing.T) {
	o, err := New(spec.Optimizer{Type: "sgd", ClipGlobalNorm: 1e-3}, []Range{{Len: 2, Moving: true, Momentum: 0.75}}, 16)
	if err != nil {
		t.Fatal(err)
	}
	p, sum := make([]float32, 16), make([]float32, 16)
	copy(p, []float32{4, -8})
	copy(sum, []float32{40, 80})
	if norm := o.Update(p, nil, sum, 10, 1, 1); norm != 0 {
		t.Errorf("a moving average has the norm %v", norm)
	}
	if p[0] != 4 || p[1] != -4 { // 0.75*4 + 0.25*4, 0.75*-8 + 0.25*8
		t.Errorf("moving averages are %v", p[:2])
	}
}

func TestGradientIsDividedOnceAndRegularized(t *testing.T) {
	o, err := New(spec.Optimizer{Type: "sgd"}, []Range{{Len: 3, L1: 0.5, L2: 0.25}}, 16)
	if err != nil {
		t.Fatal(err)
	}
	p, sum := make([]float32, 16), make([]float32, 16)
	copy(p, []float32{2, -4, 0})
	copy(sum, []float32{4, 8, 12})
	norm := o.Update(p, nil, sum, 4, 1, 1)
	// g = {1, 2, 3} + 0.5*sign(p) + 0.5*p
	if want := []float32{2.5, -0.5, 3}; !slices.Equal(sum[:3], want) {
		t.Errorf("g = %v, want %v", sum[:3], want)
	}
	if want := []float32{-0.5, -3.5, -3}; !slices.Equal(p[:3], want) {
		t.Errorf("p = %v, want %v", p[:3], want)
	}
	if want := math.Sqrt(2.5*2.5 + 0.25 + 9); norm != want {
		t.Errorf("norm = %v, want %v", norm, want)
	}
	copy(sum, []float32{1, 1, 1})
	if o.Update(p, nil, sum, 0, 1, 2); p[0] != p[0] {
		t.Error("a step without weight gives NaN")
	}
}

func TestUpdateAllocatesNothing(t *testing.T) {
	for name, s := range rules() {
		o, err := New(s, tensors(), size)
		if err != nil {
			t.Fatal(err)
		}
		p, g := random(1, size), random(2, size)
		slots := make([][]float32, len(o.Slots()))
		for i := range slots {
			slots[i] = make([]float32, size)
		}
		if a := testing.AllocsPerRun(2, func() { o.Update(p, slots, g, 1, 0.1, 1) }); a != 0 {
			t.Errorf("%s: an update allocates %v times", name, a)
		}
	}
}

func TestWhatNewRefuses(t *testing.T) {
	for _, c := range []struct {
		spec spec.Optimizer
		r    []Range
		want string
	}{
		{spec.Optimizer{Type: "adamm"}, nil, `"adamm"`},
		{spec.Optimizer{Type: "adam", Beta1: 0.9}, nil, "beta_2"},
		{spec.Optimizer{Type: "adam", Beta1: 1, Beta2: 0.9}, nil, "beta_1"},
		{spec.Optimizer{Type: "rmsprop"}, nil, "rho"},
		{spec.Optimizer{Type: "sgd", Nesterov: true}, nil, "momentum"},
		{spec.Optimizer{Type: "sgd"}, []Range{{Off: 10, Len: 7}}, "10+7"},
	} {
		if _, err := New(c.spec, c.r, 16); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.spec, err)
		}
	}
}
