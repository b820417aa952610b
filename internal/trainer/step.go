package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"lockstep/internal/fixed"
	"lockstep/internal/kernel"
	"lockstep/internal/model"
	"lockstep/internal/ring"
	"lockstep/internal/shard"
)

// steps trains from where the task stands to the end of the job, doing what is due between steps.
func (s *session) steps() error {
	s.report = newReporter(s)
	defer s.report.close()
	s.uploads = newUploader(s)
	defer s.uploads.close()
	defer s.fetch.wait()
	for {
		st := s.task.state
		if st.position%2 == 0 {
			begin := time.Now()
			if err := s.between(st); err != nil {
				return err
			}
			s.meter.evaluation.Add(time.Since(begin).Seconds())
			s.report.evaluated(st)
			continue
		}
		s.task.enter(st)
		if err := s.keep(st); err != nil {
			return s.hold(err)
		}
		if s.task.finished(st) {
			return s.finish(st)
		}
		s.fetch.begin(s, st)
		begin := time.Now()
		records, err := s.step(st)
		if err != nil {
			return s.hold(err)
		}
		s.w.flip(st)
		if d := s.w.cfg.StepTime - time.Since(begin); d > 0 {
			pause(s.ctx, d)
		}
		s.stepped(st, records, time.Since(begin))
	}
}

// stepped notes a step for those who follow: the wait for others, the speed, the coordinators, the metrics.
func (s *session) stepped(st *state, records int, d time.Duration) {
	s.phases.update = d - s.phases.compute - s.phases.wait - s.phases.reduce
	s.pace.made(d)
	s.speed.stepped(int(s.members[s.rank].SegmentTo-s.members[s.rank].SegmentFrom), d)
	s.report.stepped(st, records, d)
	rate, _ := s.speed.rate(s.w.cfg.Cores)
	s.meter.stepped(s.phases, int(s.samples.Swap(0)), rate, s.ring.Stats())
}

// step makes one step: all micro-batches of this member's segments, their gradients summed over all members, one
// update. It changes the state at its end, as a whole, or not at all.
func (s *session) step(st *state) (records int, err error) {
	t := s.task
	t.weights.LoadOn(t.spread, st.params)
	s.phases = phases{}
	r := newReduction(s, st) // digests what was just loaded: a state that changes later is found in the next step
	for attempt := uint32(0); ; attempt++ {
		if err := r.attempt(attempt); err != nil {
			return 0, err
		}
		if err := r.compare(st); err != nil {
			return 0, err
		}
		again, err := r.rescale()
		if err != nil {
			return 0, err
		}
		if !again {
			break
		}
	}
	r.told()
	r.failAt(r.step, inUpdate)
	t.mu.Lock()
	defer t.mu.Unlock()
	r.update(st)
	return r.order.Rows(r.t), nil
}

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

// failed makes the first failure of this member end all that it has under way.
func (s *session) failed(err error) error {
	if err != nil {
		s.abort(err)
	}
	return err
}

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
