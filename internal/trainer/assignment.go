package trainer

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// follow keeps a stream of assignments, from whichever coordinator.
func (w *Worker) follow(ctx context.Context) error {
	for {
		err := w.followStream(ctx)
		if ctx.Err() != nil || status.Code(err) == codes.NotFound {
			return err
		}
		w.log.Debug("stream of assignments ended; it is opened again", "error", err)
		if !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func (w *Worker) followStream(ctx context.Context) error {
	stream, err := w.client.WatchAssignment(ctx, &lockstepv1.WatchAssignmentRequest{Worker: w.id})
	if err != nil {
		return err
	}
	for {
		a, err := stream.Recv()
		if err != nil {
			return err
		}
		w.assign(a.Job, errReplaced)
	}
}

// assign makes the worker do what it is told: go on, learn news of the running generation, or end it and take part
// in the next. A coordinator that lags behind may tell of an older generation: that is no news.
func (w *Worker) assign(j *lockstepv1.Job, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.session; s != nil {
		if j != nil && j.Id == s.jobID && !job.Ended(j.State) && j.Generation.GetNumber() <= s.generation {
			if j.Generation.GetNumber() == s.generation {
				s.tell(j)
			}
			return
		}
		s.stop(cause)
		w.session = nil
		if j == nil || j.Id != s.jobID || job.Ended(j.State) {
			w.meter.forget(s.jobID)
		}
	}
	if j == nil || job.Ended(j.State) {
		if j == nil && cause == errLeaving {
			w.task = nil
		}
		return
	}
	if w.task == nil || w.task.id != j.Id {
		if w.task != nil {
			w.task.close(w.log)
		}
		w.task = newTask(j.Id)
	}
	if w.measure != nil {
		w.measure(errAssigned)
	}
	w.session = startSession(w, w.task, j)
	w.measures.Store(w.session)
}

// taskOf returns the task of a job, if this worker works on it.
func (w *Worker) taskOf(id string) *task {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.task == nil || w.task.id != id {
		return nil
	}
	return w.task
}

// idle claims a worker without a job for a measurement, which a job ends. The caller calls done.
func (w *Worker) idle(ctx context.Context) (_ context.Context, done func(), _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.session != nil:
		return nil, nil, fmt.Errorf("worker %s works on job %s", w.id, w.session.jobID)
	case w.measure != nil:
		return nil, nil, fmt.Errorf("worker %s takes part in another measurement", w.id)
	}
	ctx, w.measure = context.WithCancelCause(ctx)
	return ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.measure(errDone)
		w.measure = nil
	}, nil
}
