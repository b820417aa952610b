package trainer

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"lockstep/internal/fixed"
	"lockstep/internal/kernel"
	"lockstep/internal/model"
)

// row is the number of micro-batches that a core computes in a row, if this member has so many.
func (r *reduction) row(micro int) int {
	cores := len(r.task.cores)
	return max(1, min(r.task.run, (micro+cores-1)/cores))
}

// timedRow is computeRow with an eye on the clock.
func (r *reduction) timedRow(c *core, from, to int, left *countdown) error {
	begin := time.Now()
	err := r.computeRow(c, from, to, left)
	r.speed.busy.Add(int64(time.Since(begin)))
	return err
}

// computeRow computes micro-batches from up to to, and adds their gradients to this member's sums as soon as those of
// the last are there.
func (r *reduction) computeRow(c *core, from, to int, left *countdown) error {
	r.failAt(r.step, inCompute)
	for m := from; m < to; m++ {
		var ready func(p int)
		if m == to-1 {
			ready = func(p int) {
				r.accumulate(p, from, c, to-from)
				left.done(p, to-from)
			}
		}
		if err := r.carefully(m, func() error { return r.compute(c, m, c.grads[m-from], ready) }); err != nil {
			return err
		}
	}
	return nil
}

// compute is one micro-batch: its gradient, and loss and metrics, added to this member's sums.
func (r *reduction) compute(c *core, m int, grad []float32, ready func(p int)) error {
	t := r.task
	c.rows = r.order.Slice(c.rows, r.t, m)
	if err := t.data.Split("train").Read(&c.batch, c.rows, r.epoch); err != nil {
		return &jobError{fmt.Errorf("step %d, micro-batch %d: %w", r.step, m, err)}
	}
	key := model.Key{Seed: t.spec.Seed, Step: r.step, Micro: m}
	if err := c.pass.Train(t.weights, model.Batch(c.batch), key, grad, c.stats, ready); err != nil {
		return r.recordError(m, c.rows, err)
	}
	if math.IsNaN(c.stats[0]) || math.IsInf(c.stats[0], 0) {
		r.nonFinite(m, "the loss")
	}
	r.samples.Add(int64(len(c.rows)))
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, v := range c.stats {
		fixed.AddFloat64(r.words[i*fixed.Limbs:(i+1)*fixed.Limbs], v)
	}
	return nil
}

// accumulate adds the gradients of one parameter in n micro-batches from m on to this member's sum.
func (r *reduction) accumulate(p, m int, c *core, n int) {
	q := r.task.params[p]
	c.parts = c.parts[:0]
	for _, g := range c.grads[:n] {
		c.parts = append(c.parts, g[q.Off:q.Off+q.Len])
	}
	f := r.task.sums.add(p, m, c.parts)
	r.flags[p].Or(uint32(f))
	if f&fixed.NonFinite != 0 {
		r.nonFinite(m+max(0, slices.IndexFunc(c.parts, kernel.HasNonFinite)), "the gradient of "+q.Name)
	}
}

// countdown tells when all micro-batches of this member are in a bucket.
type countdown struct {
	bucket []int // of each parameter
	left   []atomic.Int64
	full   []chan struct{}
}

func newCountdown(t *task, micro int) *countdown {
	c := &countdown{bucket: bucketOf(t.params, t.buckets), left: make([]atomic.Int64, len(t.buckets)), full: make([]chan struct{}, len(t.buckets))}
	for i, b := range t.buckets {
		c.full[i] = make(chan struct{})
		c.left[i].Store(int64(micro * (b.last - b.first + 1)))
		if micro == 0 {
			close(c.full[i])
		}
	}
	return c
}

// done tells that the gradients of parameter p in n micro-batches are in the sums.
func (c *countdown) done(p, n int) {
	b := c.bucket[p]
	if c.left[b].Add(int64(-n)) == 0 {
		close(c.full[b])
	}
}
