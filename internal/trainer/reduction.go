package trainer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"lockstep/internal/fixed"
	"lockstep/internal/ring"
	"lockstep/internal/shard"
)

// maxAttempts bounds how often a step is done again for its scales: each time moves them monotonically, so more than
// a few cannot be.
const maxAttempts = 16

// reduction is the work on one step.
type reduction struct {
	*session
	step     uint64
	epoch, t int             // epoch, and step of the epoch
	words    []int64         // per statistic fixed.Limbs words, then one word of flags per parameter
	flags    []atomic.Uint32 // per parameter: what its gradients are, as fixed.Flags
	stats    []float64
	order    *shard.Order
	scales   fixed.Scales // in force; the state keeps those it began with until the step is made
	next     fixed.Scales // of the next attempt or step
	attempts uint32
	mu       sync.Mutex // guards words and stats while cores add to them
	mine     digest     // of the state that the step begins with
	one      sync.Mutex // held while a micro-batch of a careful step is computed
	failure  *failure   // under mu
}

func newReduction(s *session, st *state) *reduction {
	t := s.task
	n := t.net.NumStats()
	epoch, at := shard.Locate(uint64(st.step()), t.perEpoch)
	return &reduction{session: s, step: uint64(st.step() + 1), epoch: epoch, t: at, order: t.epochOrder(epoch), words: make([]int64, n*fixed.Limbs+len(t.params)+s.digestWords()),
		mine:  s.digest(st, t.whole(st)),
		flags: make([]atomic.Uint32, len(t.params)), stats: make([]float64, n),
		scales: slices.Clone(st.scales), next: make(fixed.Scales, len(t.params))}
}

// attempt computes and reduces once with the state's scales.
func (r *reduction) attempt(attempt uint32) error {
	if attempt >= maxAttempts {
		return &jobError{fmt.Errorf("step %d: no scale fits its gradients after %d attempts", r.step, attempt)}
	}
	r.attempts = attempt
	clear(r.words)
	for p := range r.flags {
		r.flags[p].Store(0)
	}
	member := r.members[r.rank]
	r.task.sums.begin(r.scales, int(member.SegmentFrom), int(member.SegmentTo-member.SegmentFrom), len(r.members) == 1)
	defer context.AfterFunc(r.ops, r.task.sums.abort)()
	left := newCountdown(r.task, int(member.SegmentTo-member.SegmentFrom))
	watch := startWatch(r.ring)
	defer watch.stop(&r.phases)
	var g errgroup.Group
	g.Go(func() error { return r.failed(r.reduceBuckets(left)) })
	next := atomic.Int64{}
	next.Store(int64(member.SegmentFrom))
	end := int(member.SegmentTo)
	row := r.row(end - int(member.SegmentFrom))
	for _, c := range r.task.cores {
		g.Go(func() error {
			defer watch.coreDone()
			for m := int(next.Add(int64(row))) - row; m < end && r.ops.Err() == nil; m = int(next.Add(int64(row))) - row {
				if err := r.failed(r.timedRow(c, m, min(m+row, end), left)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil || r.ops.Err() != nil {
		return context.Cause(r.ops)
	}
	return r.reduceWords(uint32(len(r.task.buckets)))
}

// reduceBuckets reduces the buckets in order, each as soon as all of this member's micro-batches are in it.
func (r *reduction) reduceBuckets(left *countdown) error {
	t := r.task
	for i, b := range t.buckets {
		select {
		case <-left.full[i]:
		case <-r.ops.Done():
			return context.Cause(r.ops)
		}
		op := ring.Op{Step: r.step, Attempt: r.attempts, Bucket: uint32(i)}
		if err := t.sums.reduce(r.ops, r.ring, op, b); err != nil {
			return err
		}
		r.failAt(r.step, inSum)
	}
	return nil
}

// reduceWords sums statistics and flags over all members.
func (r *reduction) reduceWords(bucket uint32) error {
	n := len(r.stats) * fixed.Limbs
	for p := range r.flags {
		r.words[n+p] = fixed.Flags(r.flags[p].Load()).Word()
	}
	r.mine.put(r.words[n+len(r.flags):], r.rank)
	if err := r.ring.AllReduceInt64(r.ops, ring.Op{Step: r.step, Attempt: r.attempts, Bucket: bucket}, r.words); err != nil {
		return err
	}
	for i := range r.stats {
		r.stats[i] = fixed.Float64(r.words[i*fixed.Limbs : (i+1)*fixed.Limbs])
	}
	return nil
}

// rescale looks whether the sums are good, and decides the next scales. It decides alike on every member: it sees
// only what was reduced.
func (r *reduction) rescale() (again bool, err error) {
	t := r.task
	n := len(r.stats) * fixed.Limbs
	finite := !math.IsNaN(r.stats[0]) && !math.IsInf(r.stats[0], 0)
	rule := t.rule()
	for p, q := range t.params {
		f := fixed.FlagsOf(r.words[n+p])
		finite = finite && f&fixed.NonFinite == 0
		next, redo := rule.Next(r.scales[p], t.maxAbs(t.sum[q.Off:q.Off+q.Len]), f)
		r.next[p] = next
		again = again || redo
	}
	if !finite {
		return false, r.notFinite()
	}
	if again {
		r.redone++
		r.phases.redone++
		r.log.Info("gradients are summed again with other scales", "step", r.step, "attempt", r.attempts+1)
		copy(r.scales, r.next)
	}
	return again, nil
}

// update is the only mutation of the training state. REQUIRES: task.mu.
func (r *reduction) update(st *state) {
	t := r.task
	rate := t.sched.Rate(st.step(), st.plateau)
	t.opt.UpdateOn(t.spread, st.params, st.slots, t.sum, r.stats[1], rate, r.step)
	copy(st.scales, r.next)
	if r.t == 0 {
		clear(st.sums)
	}
	for i, v := range r.stats {
		st.sums[i] += v
	}
	st.loss = r.stats[0] / r.stats[1]
	st.position = 2 * r.step
	if !t.due(st) {
		st.position++
	}
}
