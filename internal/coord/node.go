package coord

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"google.golang.org/grpc"

	"lockstep/internal/access"
	"lockstep/internal/ckpt"
	"lockstep/internal/logring"
	"lockstep/internal/telemetry"
)

// Node is a running coordinator.
type Node struct {
	cfg       Config
	log       *slog.Logger
	jobLogs   *logring.Ring // what was logged about jobs
	fsm       *fsm
	raft      *raft.Raft
	transport *raft.NetworkTransport
	logs      *raftboltdb.BoltStore
	opened    time.Time
	chunks    *ckpt.Store
	recent    *recentChunks
	peers     *peers
	lead      atomic.Pointer[leader] // the open gate of leadership; nil: not the leader, or not ready yet
	grpc      *grpc.Server
	guard     *access.Guard
	web       *webServer
	elects    chan bool

	refused atomic.Uint64 // requests turned away
	rpc     *telemetry.RPC

	cancel context.CancelCauseFunc // of everything that the node started
	ctx    context.Context
	tasks  sync.WaitGroup
	close  sync.Once
	failed chan error // the first failure of a server
}

// Open starts a coordinator. On an empty data directory it bootstraps the cluster of Config.Bootstrap; every
// coordinator does so with the same list, which raft allows.
func Open(cfg Config) (_ *Node, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	jobLogs := &logring.Ring{}
	cfg.Log = slog.New(jobLogs.Handler(cfg.Log.Handler()))
	n := &Node{
		jobLogs: jobLogs,
		cfg:     cfg, log: cfg.Log.With("coordinator", cfg.ID), fsm: newFSM(), recent: newRecentChunks(), opened: time.Now(),
		elects: make(chan bool, 16), failed: make(chan error, 1), rpc: telemetry.NewRPC(),
	}
	n.ctx, n.cancel = context.WithCancelCause(context.Background())
	n.peers, n.guard = newPeers(n), n.newGuard()
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil {
		return nil, fmt.Errorf("open coordinator: %w", err)
	}
	if n.chunks, err = ckpt.Open(filepath.Join(cfg.DataDir, "chunks.db"), ckpt.Options{Reserve: cfg.Reserve}); err != nil {
		return nil, fmt.Errorf("open coordinator: %w", err)
	}
	if err := n.openRaft(); err != nil {
		return nil, fmt.Errorf("open coordinator: %w", err)
	}
	if err := cfg.Telemetry.Register(metrics{n}, n.rpc); err != nil {
		return nil, fmt.Errorf("open coordinator: %w", err)
	}
	return n, n.serve()
}

// serve opens the services and starts the loops.
func (n *Node) serve() error {
	l, err := listen(n.cfg.GRPCListener, n.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for gRPC: %w", err)
	}
	n.grpc = n.newServer()
	n.start(func() { n.fail(n.grpc.Serve(l)) })
	if n.cfg.HTTP != "" || n.cfg.HTTPListener != nil {
		if n.web, err = n.openWeb(); err != nil {
			return err
		}
	}
	n.start(n.followLeadership)
	n.start(n.announce)
	n.start(n.collectChunks)
	n.start(n.fillChunks)
	return nil
}

func listen(given net.Listener, address string) (net.Listener, error) {
	if given != nil {
		return given, nil
	}
	return net.Listen("tcp", address)
}

// start runs fn until the node closes.
func (n *Node) start(fn func()) {
	n.tasks.Go(fn)
}

// fail records the failure of a server, unless the node is closing.
func (n *Node) fail(err error) {
	if err == nil || n.ctx.Err() != nil {
		return
	}
	select {
	case n.failed <- err:
	default:
	}
}

// Run waits until ctx ends or a server fails, then closes the node, handing leadership over first.
func (n *Node) Run(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
	case err = <-n.failed:
	}
	n.handOver()
	return errors.Join(err, n.Close())
}

// handOver gives leadership to another coordinator, if there is one that can take it.
func (n *Node) handOver() {
	if n.raft.State() != raft.Leader || len(n.cfg.Bootstrap) == 1 {
		return
	}
	if err := n.raft.LeadershipTransfer().Error(); err != nil {
		n.log.Warn("leadership was not handed over", "error", err)
	}
}

var errClosed = errors.New("coordinator is closing")

// Close stops the node: first what takes requests, then what serves them, last the stores.
func (n *Node) Close() error {
	var errs []error
	n.close.Do(func() {
		n.cancel(errClosed)
		if n.web != nil {
			errs = append(errs, n.web.Close())
		}
		if n.grpc != nil {
			n.grpc.Stop()
		}
		if n.raft != nil {
			errs = append(errs, n.raft.Shutdown().Error())
		}
		n.tasks.Wait()
		n.peers.Close()
		if n.logs != nil {
			errs = append(errs, n.logs.Close())
		}
		if n.chunks != nil {
			errs = append(errs, n.chunks.Close())
		}
	})
	return errors.Join(errs...)
}
