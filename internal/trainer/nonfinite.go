package trainer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lockstep/internal/model"
)

// failure is where this member has seen a number that is not finite.
type failure struct {
	micro int
	what  string
}

// nonFinite notes the first one.
func (r *reduction) nonFinite(m int, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil {
		r.failure = &failure{micro: m, what: what}
	}
}

// recordRange names the records of a micro-batch.
func (r *reduction) recordRange(rows []int) string {
	if len(rows) == 0 {
		return "no records"
	}
	split := r.task.data.Split("train")
	lo, hi := slices.Min(rows), slices.Max(rows)
	file, first := split.Record(lo)
	_, last := split.Record(hi)
	return fmt.Sprintf("%d records between %d and %d of %s", len(rows), first, last, file)
}

// recordError names the record that the network cannot take.
func (r *reduction) recordError(m int, rows []int, err error) error {
	var bad *model.RecordError
	if errors.As(err, &bad) && bad.Index < len(rows) {
		file, n := r.task.data.Split("train").Record(rows[bad.Index])
		return &jobError{fmt.Errorf("%s: record %d: %w", file, n, bad.Err)}
	}
	return &jobError{fmt.Errorf("step %d, micro-batch %d: %w", r.step, m, err)}
}

// notFinite is the end of a job whose numbers have left the range of float32. The member that saw it first-hand tells
// where; the others wait for it.
func (r *reduction) notFinite() error {
	if r.failure != nil {
		return &jobError{fmt.Errorf("step %d, micro-batch %d: %s is not finite; %s: lower the learning rate, clip gradients, or look at these records",
			r.step, r.failure.micro, r.locate(), r.recordRange(r.order.Slice(nil, r.t, r.failure.micro)))}
	}
	if !pause(r.ctx, time.Second) {
		return context.Cause(r.ctx)
	}
	return &jobError{fmt.Errorf("step %d: loss or gradient is not finite", r.step)}
}

// locate computes the micro-batch that failed again, to name the layer where it began.
func (r *reduction) locate() string {
	t, c, m := r.task, r.task.cores[0], r.failure.micro
	c.rows = r.order.Slice(c.rows, r.t, m)
	if t.data.Split("train").Read(&c.batch, c.rows, r.epoch) == nil {
		where, err := c.pass.Locate(t.weights, model.Batch(c.batch), model.Key{Seed: t.spec.Seed, Step: r.step, Micro: m}, c.grads[0], c.stats)
		if err == nil && where != "" {
			return where
		}
	}
	return r.failure.what
}
