package optim

import (
	"errors"
	"fmt"
	"math"

	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// Range is one tensor of the parameter vector, in floats.
type Range struct {
	Off, Len int
	Moving   bool    // a moving average: p = Momentum*p + (1-Momentum)*g, without a rate
	Frozen   bool    // never changes
	Momentum float64 // Moving only
	L1, L2   float64 // the gradient gets L1*sign(p) + 2*L2*p, that of L1*sum|p| + L2*sum(p*p)
}

// Optimizer applies one update rule to one parameter vector. It keeps no training state: that is in the slots. An
// Optimizer serves one update at a time.
type Optimizer struct {
	spec    spec.Optimizer
	ranges  []Range
	size    int
	slots   []string
	blocks  []block
	squares []float64 // of each block's gradient
	rule    rule
	now     update
	// The methods prepare and apply, bound once so that an update allocates nothing.
	prepareBlock, applyBlock, wholeBlock func(i int)
}

// block is a part of one range that one core handles at a time.
type block struct {
	lo, hi int
	r      *Range
}

// blockLen is small enough for a block of parameters, gradient and state to stay in a second-level cache.
const blockLen = 16 << 10

// update is what the blocks of one update share.
type update struct {
	params, sum   []float32
	state         [][]float32
	inverse, clip float32 // 1/weight; the factor of clipping
	lr            float64
	step          int
}

// rule updates the weights w by the gradient g; slots are the same stretch of each state vector.
type rule func(o *Optimizer, w, g []float32, slots [3][]float32)

// New returns the optimizer that o describes for parameter vectors of size floats with these tensors.
func New(o spec.Optimizer, ranges []Range, size int) (*Optimizer, error) {
	p := &Optimizer{spec: o, ranges: ranges, size: size}
	if err := p.choose(); err != nil {
		return nil, fmt.Errorf("optimizer: %w", err)
	}
	for i := range ranges {
		r := &ranges[i]
		if r.Off < 0 || r.Len < 0 || r.Off+r.Len > size {
			return nil, fmt.Errorf("optimizer: tensor %d at %d+%d is outside the vector of %d", i, r.Off, r.Len, size)
		}
		for lo := r.Off; lo < r.Off+r.Len; lo += blockLen {
			p.blocks = append(p.blocks, block{lo, min(lo+blockLen, r.Off+r.Len), r})
		}
	}
	p.squares = make([]float64, len(p.blocks))
	p.prepareBlock, p.applyBlock = p.prepare, p.apply
	p.wholeBlock = func(i int) { p.prepare(i); p.apply(i) }
	return p, nil
}

// choose finds the rule and its slots.
func (p *Optimizer) choose() error {
	o := &p.spec
	switch o.Type {
	case "sgd":
		p.rule = sgd
		if o.Momentum != 0 {
			p.slots = []string{"velocity"}
		} else if o.Nesterov {
			return errors.New("nesterov needs a momentum")
		}
	case "adam", "adamw", "amsgrad":
		p.rule, p.slots = adam, []string{"m", "v"}
		if o.Type == "amsgrad" {
			p.slots = append(p.slots, "v_max")
		}
		if o.Beta1 < 0 || o.Beta1 >= 1 || o.Beta2 <= 0 || o.Beta2 >= 1 {
			return fmt.Errorf("beta_1 is %v and beta_2 %v, want them between 0 and 1", o.Beta1, o.Beta2)
		}
	case "rmsprop":
		p.rule, p.slots = rmsprop, []string{"square_average"}
		if o.Centered {
			p.slots = append(p.slots, "gradient_average")
		}
		if o.Momentum != 0 {
			p.slots = append(p.slots, "velocity")
		}
		if o.Rho <= 0 || o.Rho >= 1 {
			return fmt.Errorf("rho is %v, want it between 0 and 1", o.Rho)
		}
	case "adagrad":
		p.rule, p.slots = adagrad, []string{"accumulator"}
	default:
		return fmt.Errorf("unknown type %q", o.Type)
	}
	return nil
}

// Slots names the state vectors, each as long as the parameter vector. The caller must not change it.
func (p *Optimizer) Slots() []string { return p.slots }

// InitState gives the state vectors, one for each slot, their values before the first update.
func (p *Optimizer) InitState(state [][]float32) {
	for _, s := range state {
		clear(s)
		if p.spec.Type == "adagrad" {
			for _, r := range p.ranges {
				for i := range s[r.Off : r.Off+r.Len] {
					s[r.Off+i] = float32(p.spec.InitialAcc)
				}
			}
		}
	}
}

// Update makes one update and returns the gradient's global norm before clipping.
//
//	g    = sum/weight, plus the regularizer's gradient
//	norm = sqrt(sum of g^2 over all trainable tensors)
//	g   *= min(1, clip_global_norm/(norm+1e-6))       if clip_global_norm is set
//	the rule on params, g and state, with the rate lr
//
// sum is the gradient summed over the step's records, weight their total weight; step counts from 1. sum is used up:
// it holds g afterwards. A weight of 0 makes g the regularizer's gradient alone.
func (p *Optimizer) Update(params []float32, state [][]float32, sum []float32, weight, lr float64, step uint64) float64 {
	return p.UpdateOn(inOrder, params, state, sum, weight, lr, step)
}

func inOrder(n int, do func(i int)) {
	for i := range n {
		do(i)
	}
}

// UpdateOn is Update with its work spread by run, which calls do once for each i from 0 to n-1, on any goroutines, and
// returns when all are done. The bits are those of Update.
func (p *Optimizer) UpdateOn(run func(n int, do func(i int)), params []float32, state [][]float32, sum []float32,
	weight, lr float64, step uint64) float64 {
	p.now = update{params: params[:p.size], sum: sum[:p.size], state: state, clip: 1, lr: lr, step: int(step)}
	if weight != 0 {
		p.now.inverse = float32(1 / weight)
	}
	limit := p.spec.ClipGlobalNorm
	if limit > 0 {
		run(len(p.blocks), p.prepareBlock)
	} else { // while a block is in the cache
		run(len(p.blocks), p.wholeBlock)
	}
	total := 0.0
	for _, s := range p.squares {
		total += s
	}
	norm := math.Sqrt(total)
	if limit > 0 {
		p.now.clip = float32(min(1, limit/(norm+1e-6)))
		run(len(p.blocks), p.applyBlock)
	}
	p.now = update{}
	return norm
}

// prepare turns block i of sum into the gradient and sums its squares.
func (p *Optimizer) prepare(i int) {
	b := &p.blocks[i]
	if b.r.Frozen {
		return
	}
	g := p.now.sum[b.lo:b.hi]
	kernel.Scale(g, p.now.inverse, g)
	if b.r.Moving {
		return
	}
	if w := p.now.params[b.lo:b.hi]; b.r.L1 != 0 || b.r.L2 != 0 {
		kernel.Axpy(g, float32(2*b.r.L2), w)
		addSigns(g, float32(b.r.L1), w)
	}
	p.squares[i] = kernel.SumSquares(g)
}

// addSigns: g += l1*sign(w).
func addSigns(g []float32, l1 float32, w []float32) {
	if l1 == 0 {
		return
	}
	for i, v := range w {
		switch {
		case v > 0:
			g[i] += l1
		case v < 0:
			g[i] -= l1
		}
	}
}

// apply updates block i.
func (p *Optimizer) apply(i int) {
	b := &p.blocks[i]
	if b.r.Frozen {
		return
	}
	w, g := p.now.params[b.lo:b.hi], p.now.sum[b.lo:b.hi]
	if b.r.Moving {
		kernel.Scale(w, float32(b.r.Momentum), w)
		kernel.Axpy(w, float32(1-b.r.Momentum), g)
		return
	}
	if p.now.clip != 1 {
		kernel.Scale(g, p.now.clip, g)
	}
	var slots [3][]float32
	for k, s := range p.now.state {
		slots[k] = s[b.lo:b.hi]
	}
	p.rule(p, w, g, slots)
}
