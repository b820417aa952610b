package trainer

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// carefulSteps is for how many steps after the last one known members say what they compute, where all workers were lost.
const carefulSteps = 500

// attemptTimeout bounds one such message: without a leader the step goes on.
const attemptTimeout = time.Second

// careful reports whether the members say what they are about to compute in a step: a worker was lost in it, or, where
// all were lost, perhaps in it. With reduction float32 nobody does: its micro-batches wait for one another.
func (s *session) careful(step uint64) bool {
	g := s.first
	if g == nil || !g.Careful || s.task.spec.Parallelism.Reduction == "float32" {
		return false
	}
	if g.Start.GetSource() != "" {
		return step == g.Start.Position/2+1
	}
	return step > s.known && step <= s.known+carefulSteps
}

// attemptError is a micro-batch at which this worker panicked.
type attemptError struct {
	attempt *lockstepv1.Attempt
	err     error
}

func (e *attemptError) Error() string { return e.err.Error() }
func (e *attemptError) Unwrap() error { return e.err }

// carefully computes a micro-batch; a panic is an error that names it. In a careful step no two are computed at a
// time, and the leader is told before.
func (r *reduction) carefully(m int, compute func() error) (err error) {
	attempt := func() *lockstepv1.Attempt {
		return &lockstepv1.Attempt{Step: r.step, Micro: uint32(m), Records: r.recordRange(r.order.Slice(nil, r.t, m))}
	}
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("panic", "step", r.step, "micro", m, "panic", p, "stack", string(debug.Stack()))
			err = &attemptError{attempt(), fmt.Errorf("panic: %v", p)}
		}
	}()
	if r.session.careful(r.step) {
		r.one.Lock()
		defer r.one.Unlock()
		r.tell(attempt())
	}
	r.failAt(r.step, m)
	return compute()
}

// told tells the leader that a careful step is over.
func (r *reduction) told() {
	if r.session.careful(r.step) {
		r.session.sayAttempt(nil)
	}
}

func (r *reduction) tell(a *lockstepv1.Attempt) { r.session.sayAttempt(a) }

// sayAttempt tells the leader what this worker is about to compute. It may not arrive: nothing in a step waits for it.
func (s *session) sayAttempt(a *lockstepv1.Attempt) {
	ctx, cancel := context.WithTimeout(s.ops, attemptTimeout)
	defer cancel()
	_, err := s.w.client.ReportAttempt(ctx, &lockstepv1.ReportAttemptRequest{Job: s.jobID, Generation: s.generation, Worker: s.w.id, Attempt: a})
	if err != nil {
		s.log.Debug("attempt was not reported", "error", err)
	}
}
