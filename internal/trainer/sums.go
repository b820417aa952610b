package trainer

import (
	"context"
	"sync"

	"lockstep/internal/fixed"
	"lockstep/internal/kernel"
	"lockstep/internal/ring"
)

// sums adds up gradients: those of this member's micro-batches, then over all members into task.sum.
type sums interface {
	// begin prepares for an attempt with these scales, in which this member, alone or not, adds n micro-batches from
	// from on.
	begin(scales fixed.Scales, from, n int, alone bool)
	// add adds the gradients of parameter p in micro-batches m, m+1, ... Cores call it at the same time.
	add(p, m int, grads [][]float32) fixed.Flags
	// reduce completes a bucket, to which all of this member's micro-batches have been added.
	reduce(ctx context.Context, r *ring.Ring, op ring.Op, b bucket) error
	// abort ends all waiting in add.
	abort()
}

// halves tells that gradients and their sums are rounded to bfloat16, for a slow network.
func (t *task) halves() bool { return t.spec.Parallelism.Wire == "bf16" }

// rule steers the scales of exact sums.
func (t *task) rule() fixed.Rule {
	if t.halves() {
		return fixed.Short
	}
	return fixed.Full
}

// newSums returns the sums that the specification asks for.
func newSums(t *task) sums {
	if t.spec.Parallelism.Reduction == "float32" {
		s := &floatSums{task: t, turn: make([]int, len(t.params))}
		s.changed.L = &s.mu
		return s
	}
	return &exactSums{task: t, short: t.halves(), acc: make([]int64, t.net.Size()), parts: make([]part, len(t.params))}
}

// exactSums adds in fixed point: no order and no grouping shows.
type exactSums struct {
	task   *task
	short  bool // gradients are rounded to bfloat16
	acc    []int64
	scales fixed.Scales
	parts  []part // per parameter
	n      int    // micro-batches of this member
	whole  bool   // whoever adds the last one completes the sum: there are no others to add theirs
}

// part is a parameter's part of the accumulators.
type part struct {
	mu    sync.Mutex
	added int // micro-batches of this attempt that are in the accumulators
}

func (s *exactSums) begin(scales fixed.Scales, _, n int, alone bool) {
	s.scales, s.n, s.whole = scales, n, alone && !s.short
	for p := range s.parts {
		s.parts[p].added = 0
	}
}

func (s *exactSums) add(p, _ int, grads [][]float32) fixed.Flags {
	if s.short {
		for _, g := range grads {
			fixed.RoundBF16(g)
		}
	}
	q, part := s.task.params[p], &s.parts[p]
	part.mu.Lock()
	defer part.mu.Unlock()
	fresh := part.added == 0
	part.added += len(grads)
	acc, scale := s.acc[q.Off:q.Off+q.Len], int(s.scales[p])
	if s.whole && part.added == s.n {
		return fixed.AccumulateLast(s.task.sum[q.Off:q.Off+q.Len], acc, fresh, scale, grads...)
	}
	return fixed.Accumulate(acc, fresh, scale, grads...)
}

func (s *exactSums) reduce(ctx context.Context, r *ring.Ring, op ring.Op, b bucket) error {
	if s.whole {
		return nil
	}
	for p := b.first; p <= b.last; p++ {
		if q := s.task.params[p]; s.parts[p].added == 0 { // this member has no micro-batch
			clear(s.acc[q.Off : q.Off+q.Len])
		}
	}
	convert := func(dst []float32, acc []int64, off int) error {
		s.task.spreadBlocks(len(acc), func(lo, hi int) { s.task.convert(s.scales, b, dst[lo:hi], acc[lo:hi], off+lo) })
		return nil
	}
	return r.AllReduce(ctx, op, s.task.sum[b.off:b.end], s.acc[b.off:b.end], convert)
}

func (*exactSums) abort() {}

// convert turns exact sums into float32: acc is the part of bucket b that begins at off.
func (t *task) convert(scales fixed.Scales, b bucket, dst []float32, acc []int64, off int) {
	from := b.off + off
	end := from + len(acc)
	for p := b.first; p <= b.last; p++ {
		lo := max(from, t.params[p].Off)
		hi := end
		if p < b.last {
			hi = min(end, t.params[p+1].Off)
		}
		if lo < hi {
			fixed.Float32(dst[lo-from:hi-from], acc[lo-from:hi-from], int(scales[p]))
		}
	}
}

// floatSums is the plain ring of `reduction: float32`: this member's micro-batches are added in their order, whatever
// core computes them, so that the bits depend on the membership, but on nothing else.
type floatSums struct {
	task    *task
	mu      sync.Mutex
	changed sync.Cond
	turn    []int // per parameter: the micro-batch that is added next; under mu
	first   int
	aborted bool // under mu
}

func (s *floatSums) begin(_ fixed.Scales, from, _ int, _ bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first, s.aborted = from, false
	for p := range s.turn {
		s.turn[p] = from
	}
}

func (s *floatSums) add(p, m int, grads [][]float32) fixed.Flags {
	s.mu.Lock()
	for s.turn[p] != m && !s.aborted {
		s.changed.Wait()
	}
	s.mu.Unlock()
	q := s.task.params[p]
	dst := s.task.sum[q.Off : q.Off+q.Len]
	if m == s.first {
		clear(dst)
	}
	for _, g := range grads {
		kernel.Add(dst, dst, g)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn[p] = m + len(grads)
	s.changed.Broadcast()
	if kernel.HasNonFinite(dst) {
		return fixed.NonFinite
	}
	return 0
}

func (s *floatSums) reduce(ctx context.Context, r *ring.Ring, op ring.Op, b bucket) error {
	return r.AllReduceFloat32(ctx, op, s.task.sum[b.off:b.end])
}

func (s *floatSums) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aborted = true
	s.changed.Broadcast()
}
