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
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/client"
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
