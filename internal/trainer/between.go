package trainer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"lockstep/internal/fixed"
	"lockstep/internal/model"
	"lockstep/internal/ring"
	"lockstep/internal/shard"
	"lockstep/internal/spec"
)

// due reports whether something has to be evaluated after the step just made.
func (t *task) due(s *state) bool {
	return t.finished(s) || t.hits(t.spec.Training.EvalEvery, s.step())
}

// hits reports whether an interval ends with this step.
func (t *task) hits(every spec.Interval, step int) bool {
	switch {
	case step == 0:
		return false
	case every.Steps > 0:
		return step%every.Steps == 0
	case every.Epochs > 0:
		return step%(every.Epochs*t.perEpoch) == 0
	default:
		return false
	}
}

// between does what is due after a step: evaluation, and what follows from it. Like a step, it changes the state at
// its end, as a whole.
func (s *session) between(st *state) error {
	t := s.task
	metrics := maps.Clone(st.metrics)
	maps.Copy(metrics, named("train_", t.net.Metrics(st.sums)))
	plateau := st.plateau
	if t.data.Split("val").Len() > 0 {
		val, err := s.evaluate(st, "val", st.params)
		if err != nil {
			return err
		}
		maps.Copy(metrics, named("val_", val))
	}
	after := t.judge(st, metrics)
	if name, ok := t.sched.Monitor(); ok {
		if v, measured := metrics[name]; measured {
			plateau = t.sched.Observe(plateau, v)
		}
	}
	last := st.step() >= t.total || after.stopped
	if last && t.data.Split("test").Len() > 0 {
		params := st.params
		if t.keepsBest() && after.params != nil {
			params = after.params
		}
		test, err := s.evaluate(st, "test", params)
		if err != nil {
			return err
		}
		maps.Copy(metrics, named("test_", test))
	}
	t.mu.Lock()
	st.metrics, st.best, st.plateau = metrics, after, plateau
	st.position++
	t.mu.Unlock()
	return nil
}

func named(prefix string, m map[string]float64) map[string]float64 {
	out := make(map[string]float64, len(m))
	for k, v := range m {
		out[prefix+k] = v
	}
	return out
}

// judge compares an evaluation with the best so far.
func (t *task) judge(st *state, metrics map[string]float64) best {
	b := st.best
	monitor, dir, delta, patience := t.criterion()
	value, ok := metrics[monitor]
	if !ok {
		return b
	}
	if !math.IsNaN(value) && (!b.seen || dir*(b.value-value) > delta) {
		b = best{seen: true, value: value}
		if t.keepsBest() {
			b.params = append([]float32(nil), st.params...)
		}
		return b
	}
	b.bad++
	b.stopped = patience > 0 && b.bad >= patience
	return b
}

// criterion is what makes one evaluation better than another: the metric, 1 if less is better or else -1, by how much,
// and after how many worse ones the job stops (0: never).
func (t *task) criterion() (monitor string, dir, delta float64, patience int64) {
	e := t.spec.EarlyStopping
	if e == nil {
		m := t.spec.Checkpoint.Monitor
		return m, sign(spec.HigherIsBetter(m)), 0, 0
	}
	return e.Monitor, sign(e.Mode == "max"), e.MinDelta, int64(e.Patience)
}

func sign(higherIsBetter bool) float64 {
	if higherIsBetter {
		return -1
	}
	return 1
}

// evalAttempt keeps the operations of evaluations apart from those of steps.
const evalAttempt = 1 << 16

// evaluate measures parameters on a split. The split is cut into as many parts as there are segments, and who owns a
// segment evaluates its part.
func (s *session) evaluate(st *state, split string, params []float32) (map[string]float64, error) {
	t := s.task
	s.failAt(uint64(st.step()), inEvaluation)
	t.weights.LoadOn(t.spread, params)
	parts := shard.Eval(t.data.Split(split).Len(), t.plan.Micro)
	member := s.members[s.rank]
	words := make([]int64, t.net.NumStats()*fixed.Limbs)
	var g group
	for i, c := range t.cores {
		g.Go(func() error {
			for m := int(member.SegmentFrom) + i; m < int(member.SegmentTo); m += len(t.cores) {
				if err := s.evaluatePart(c, split, parts[m], words, &g); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	bucket := uint32(0)
	if split == "test" {
		bucket = 1
	}
	if err := s.ring.AllReduceInt64(s.ops, ring.Op{Step: uint64(st.step()), Attempt: evalAttempt, Bucket: bucket}, words); err != nil {
		return nil, err
	}
	sums := make([]float64, t.net.NumStats())
	for i := range sums {
		sums[i] = fixed.Float64(words[i*fixed.Limbs : (i+1)*fixed.Limbs])
	}
	return t.net.Metrics(sums), nil
}

// evaluatePart adds the statistics of a range of records to words.
func (s *session) evaluatePart(c *core, split string, part shard.Range, words []int64, g *group) error {
	t := s.task
	for rows := range part.Rows(t.plan.MaxRows()) {
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		c.rows = c.rows[:0]
		for i := rows.From; i < rows.To; i++ {
			c.rows = append(c.rows, i)
		}
		if err := t.data.Split(split).Read(&c.batch, c.rows, 0); err != nil {
			return &jobError{fmt.Errorf("evaluate on %s: %w", split, err)}
		}
		if err := c.pass.Eval(t.weights, model.Batch(c.batch), c.stats); err != nil {
			return &jobError{evalError(t, split, c.rows, err)}
		}
		g.mu.Lock()
		for i, v := range c.stats {
			fixed.AddFloat64(words[i*fixed.Limbs:(i+1)*fixed.Limbs], v)
		}
		g.mu.Unlock()
	}
	return nil
}

func evalError(t *task, split string, rows []int, err error) error {
	var bad *model.RecordError
	if errors.As(err, &bad) && bad.Index < len(rows) {
		file, n := t.data.Split(split).Record(rows[bad.Index])
		return fmt.Errorf("%s: record %d: %w", file, n, bad.Err)
	}
	return fmt.Errorf("evaluate on %s: %w", split, err)
}

// finish ends the job: the last checkpoint is committed, then the result. The first member speaks for all, whose
// states are the same; the others wait to be told that the job is over.
func (s *session) finish(st *state) error {
	digest, err := s.task.modelDigest(st)
	if err != nil {
		return err
	}
	if s.rank != 0 {
		<-s.ctx.Done()
		return nil
	}
	for !s.committed(st) {
		if err := s.uploads.wait(s.ctx); err != nil {
			if !pause(s.ctx, finishRetry) {
				return nil
			}
			s.uploads.begin(st)
		}
	}
	s.report.close()
	s.send("result", func(ctx context.Context) error { return s.report.finish(ctx, st, digest) })
	<-s.ctx.Done()
	return nil
}

// finishRetry is how long the last checkpoint waits when it could not be stored: without it the job has no result.
const finishRetry = 2 * time.Second
