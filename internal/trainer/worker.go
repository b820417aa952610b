package trainer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/client"
	"lockstep/internal/job"
	"lockstep/internal/logring"
	"lockstep/internal/ring/grpclink"
	"lockstep/internal/source"
	"lockstep/internal/telemetry"
)

// Worker is a worker process.
type Worker struct {
	cfg     Config
	id      string
	address string
	log     *slog.Logger
	logs    *logring.Ring // what was logged about jobs
	client  *client.Client
	cache   *source.Cache // of data from elsewhere; nil: nothing is kept
	links   *grpclink.Server
	meter   *meter
	rpc     *telemetry.RPC

	measures atomic.Pointer[session] // of which heartbeats tell: the end of a session may hold mu for long

	mu      sync.Mutex
	session *session                // the generation in which it takes part; under mu
	task    *task                   // the job of that generation, kept over generations; under mu
	measure context.CancelCauseFunc // ends a measurement that is under way; nil: none is; under mu
}

// Causes for which a session ends.
var (
	errReplaced = errors.New("the generation is over")
	errLeaving  = errors.New("the worker is leaving")
	errAssigned = errors.New("the worker was given a job")
	errDone     = errors.New("the session has ended")
)

// Run is a worker's life: listen, register, follow the assignments until ctx ends, then leave.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer l.Close()
	logs := &logring.Ring{}
	cfg.Log = slog.New(logs.Handler(cfg.Log.Handler()))
	w := &Worker{cfg: cfg, logs: logs, id: newID(cfg.Name), links: grpclink.NewServer(cfg.Log), rpc: telemetry.NewRPC()}
	w.meter = newMeter(cfg.Cores, w.links)
	if err := cfg.Telemetry.Register(w.meter, w.rpc); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	w.log = cfg.Log.With("worker", w.id)
	if w.address, err = cfg.advertised(l); err != nil {
		return err
	}
	dial := append(cfg.Telemetry.DialOptions(), grpc.WithTransportCredentials(certs.ClientCredentials(cfg.TLS, certs.Coordinator)))
	if w.client, err = client.Dial(cfg.Coordinators, dial...); err != nil {
		return err
	}
	defer w.client.Close()
	if w.cache, err = cfg.cache(); err != nil {
		return err
	}
	closeWatch, err := w.openHTTP()
	if err != nil {
		return err
	}
	defer closeWatch()
	return w.serve(ctx, l)
}

// peers are the credentials of connections to other workers.
func (w *Worker) peers() credentials.TransportCredentials {
	return certs.ClientCredentials(w.cfg.TLS, certs.Worker)
}

// Limits on who connects.
const (
	maxHeaders       = 16 << 10
	handshakeTimeout = 10 * time.Second
)

// serve runs the worker's server beside its life in the cluster.
func (w *Worker) serve(ctx context.Context, l net.Listener) error {
	guard := &access.Guard{Plain: w.cfg.TLS == nil, Log: w.log}
	if !guard.Plain {
		w.links.Secure(grpclink.Security{Dial: w.peers(), Serve: certs.ServerCredentials(w.cfg.TLS), Admits: guard.Worker})
	}
	opts := append(grpclink.ServerOptions(), grpc.Creds(w.links.Credentials(nil)),
		grpc.MaxHeaderListSize(maxHeaders), grpc.ConnectionTimeout(handshakeTimeout),
		grpc.ChainUnaryInterceptor(w.rpc.Unary, guard.Unary), grpc.ChainStreamInterceptor(w.rpc.Stream, guard.Stream))
	s := grpc.NewServer(append(opts, w.cfg.Telemetry.ServerOptions()...)...)
	w.links.Register(s)
	lockstepv1.RegisterPeerServer(s, &peerServer{w: w})
	h := health.NewServer()
	h.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(s, h)
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var local, g sync.WaitGroup
	w.serveLocal(s, &local)
	g.Go(func() { w.live(ctx) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		cancel()
	}
	g.Wait()
	s.Stop()
	local.Wait()
	return err
}

// serveLocal lets other workers on this machine reach the server without TCP.
func (w *Worker) serveLocal(s *grpc.Server, g *sync.WaitGroup) {
	l, err := grpclink.ListenLocal(w.address)
	if err != nil {
		w.log.Debug("workers on this machine use TCP", "error", err)
		return
	}
	g.Go(func() { s.Serve(l) }) // until the server stops
}

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

// drain asks for no more work, and waits until this worker has none.
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

func (w *Worker) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.session != nil
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

// pause waits, and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
