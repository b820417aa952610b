package trainer

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// live registers the worker, again whenever the cluster has forgotten it. At the end of ctx it drains, then leaves.
func (w *Worker) live(ctx context.Context) {
	stopped := ctx
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var g sync.WaitGroup
	defer g.Wait()
	g.Go(func() {
		<-stopped.Done()
		w.drain(ctx)
		end()
	})
	for ctx.Err() == nil {
		lease, err := w.register(ctx)
		if err != nil {
			w.log.Warn("registration was refused", "error", err)
			pause(ctx, time.Second)
			continue
		}
		w.log.Info("registered", "address", w.address, "cores", w.cfg.Cores)
		w.meter.registered.Set(1)
		err = w.takePart(ctx, lease)
		w.meter.registered.Set(0)
		w.assign(nil, errReplaced)
		if ctx.Err() == nil {
			w.log.Warn("the cluster has forgotten this worker; it registers again", "error", err)
			w.rename()
		}
	}
	w.assign(nil, errLeaving)
	w.leave()
}

func (w *Worker) register(ctx context.Context) (lease time.Duration, err error) {
	r := &lockstepv1.RegisterRequest{RequestId: w.id, Worker: &lockstepv1.Worker{
		Id: w.id, Address: w.address, Cores: uint32(w.cfg.Cores)}}
	stop := w.doubting(ctx)
	reply, err := w.client.Register(ctx, r)
	stop()
	if err != nil {
		return 0, err
	}
	if reply.Forget {
		w.forget()
	}
	return time.Duration(reply.LeaseMs) * time.Millisecond, nil
}

// forget drops the state of the job that the worker has worked on: it is not to be trusted.
func (w *Worker) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.task != nil {
		w.task.replace(nil)
	}
}

// drain asks for no more work, and waits until this worker has no state of a job that would go with it.
func (w *Worker) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	ask, cancelAsk := context.WithTimeout(ctx, leaveTimeout)
	defer cancelAsk()
	r := &lockstepv1.DrainWorkerRequest{Worker: w.name(), Draining: true, Reason: "it was stopped"}
	if _, err := w.client.DrainWorker(ask, r); err != nil {
		w.log.Info("does not drain", "error", err)
		return
	}
	for w.busy() && pause(ctx, drainPoll) {
	}
}

// rename gives the worker the id under which it registers next.
func (w *Worker) rename() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.id = newID(w.cfg.Name)
}

func (w *Worker) name() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.id
}

// busy reports whether this worker works on a job that it has a state of: while it opens the data, which may take long, it has none.
func (w *Worker) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.session == nil {
		return false
	}
	_, has := w.task.position()
	return has
}

const (
	drainTimeout = 30 * time.Second // without a cluster that takes the work away the worker leaves all the same
	drainPoll    = 20 * time.Millisecond
)

// leaveTimeout bounds the goodbye: without it the lease ends all the same.
const leaveTimeout = 2 * time.Second

func (w *Worker) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if _, err := w.client.Leave(ctx, &lockstepv1.LeaveRequest{Worker: w.id, Reason: "it was stopped"}); err != nil {
		w.log.Info("left without goodbye", "error", err)
	}
}

// takePart sends heartbeats and follows assignments until ctx ends or the cluster has forgotten the worker.
func (w *Worker) takePart(ctx context.Context, lease time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var g sync.WaitGroup
	g.Go(func() { cancel(w.heartbeats(ctx, lease)) })
	g.Go(func() { cancel(w.follow(ctx)) })
	g.Wait()
	return context.Cause(ctx)
}

// heartbeats renews the lease, several times in its length.
func (w *Worker) heartbeats(ctx context.Context, lease time.Duration) error {
	every := lease / 6
	for {
		call, cancel := context.WithTimeout(ctx, lease)
		_, err := w.client.Heartbeat(call, w.heartbeat())
		cancel()
		if status.Code(err) == codes.NotFound {
			return err
		}
		if err != nil && ctx.Err() == nil {
			w.meter.silent.Inc()
		}
		if !pause(ctx, every) {
			return ctx.Err()
		}
	}
}

// heartbeat is a sign of life, with how fast this worker computes.
func (w *Worker) heartbeat() *lockstepv1.HeartbeatRequest {
	r := &lockstepv1.HeartbeatRequest{Worker: w.id}
	if s := w.measures.Load(); s != nil {
		rate, measured := s.speed.rate(w.cfg.Cores)
		r.Job, r.Generation, r.Speed, r.MeasuredSeconds = s.jobID, s.generation, rate, measured.Seconds()
	}
	return r
}
