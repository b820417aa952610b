package coord

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/job"
)

const (
	applyTimeout    = 10 * time.Second
	raftPoolSize    = 3
	raftIOTimeout   = 5 * time.Second
	keepSnapshots   = 2
	boltOpenTimeout = 5 * time.Second
)

func (n *Node) openRaft() error {
	logger := raftLogger(n.log)
	logs, err := raftboltdb.New(raftboltdb.Options{
		Path:        filepath.Join(n.cfg.DataDir, "raft.db"),
		BoltOptions: &bbolt.Options{Timeout: boltOpenTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
	})
	if err != nil {
		return fmt.Errorf("open raft log: %w", err)
	}
	n.logs = logs
	snaps, err := raft.NewFileSnapshotStoreWithLogger(n.cfg.DataDir, keepSnapshots, logger)
	if err != nil {
		return fmt.Errorf("open snapshots: %w", err)
	}
	l, err := listen(n.cfg.RaftListener, n.cfg.RaftListen)
	if err != nil {
		return fmt.Errorf("listen for raft: %w", err)
	}
	n.transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:                newRaftStream(l, &n.cfg),
		ServerAddressProvider: addressBook(n.cfg.Bootstrap),
		MaxPool:               raftPoolSize, Timeout: raftIOTimeout, Logger: logger, MsgpackUseNewTimeFormat: true,
	})
	if err := n.bootstrap(logs, snaps, n.transport, logger); err != nil {
		return err
	}
	n.raft, err = raft.NewRaft(n.raftConfig(logger), n.fsm, logs, logs, snaps, n.transport)
	return err
}

// raftConfig derives raft's timeouts from the lease: a coordinator that is silent for a third of it is taken for lost.
// A leader gives up after the same time without a majority, not earlier: a slow follower is slow, not dead.
func (n *Node) raftConfig(logger hclog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.cfg.ID)
	silence := n.cfg.Lease / 3
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = silence, silence, silence
	c.NotifyCh = n.elects
	c.Logger = logger
	c.ShutdownOnRemove = false
	return c
}

func (n *Node) bootstrap(logs *raftboltdb.BoltStore, snaps raft.SnapshotStore, t raft.Transport, logger hclog.Logger) error {
	exists, err := raft.HasExistingState(logs, logs, snaps)
	if err != nil {
		return fmt.Errorf("look for raft state: %w", err)
	}
	if exists {
		return nil
	}
	var servers raft.Configuration
	for _, s := range n.cfg.Bootstrap {
		servers.Servers = append(servers.Servers, raft.Server{ID: raft.ServerID(s.ID), Address: raft.ServerAddress(s.ID)})
	}
	if err := raft.BootstrapCluster(n.raftConfig(logger), logs, logs, snaps, t, servers); err != nil {
		return fmt.Errorf("bootstrap cluster: %w", err)
	}
	return nil
}

// propose puts a command into the log, if it is well formed, and returns its result once it is applied here. A refusal is a gRPC status.
func (n *Node) propose(ctx context.Context, c *lockstepv1.Command) (*lockstepv1.Result, error) {
	if err := job.Validate(c); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if md, ok := metadata.FromIncomingContext(ctx); ok && c.RequestId == "" {
		c.RequestId = client.Request(md)
	}
	c.NowMs = time.Now().UnixMilli()
	data, err := proto.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	f := n.raft.Apply(data, applyTimeout)
	if err := f.Error(); err != nil {
		return nil, unavailable(err)
	}
	r := f.Response().(*lockstepv1.Result)
	setIndex(ctx, f.Index())
	return r, refusalError(r)
}

// unavailable turns a failure of raft into a status that makes clients try again.
func unavailable(err error) error {
	if errors.Is(err, raft.ErrRaftShutdown) {
		return status.Error(codes.Unavailable, "this coordinator is closing")
	}
	return status.Errorf(codes.Unavailable, "raft: %v", err)
}

func refusalError(r *lockstepv1.Result) error {
	switch r.Refusal {
	case lockstepv1.Refusal_REFUSAL_NONE:
		return nil
	case lockstepv1.Refusal_REFUSAL_NOT_FOUND:
		return status.Error(codes.NotFound, r.Message)
	case lockstepv1.Refusal_REFUSAL_STALE:
		return status.Error(codes.Aborted, r.Message)
	default:
		return status.Error(codes.FailedPrecondition, r.Message)
	}
}

// raftLogger passes raft's own log on, a level lower than raft thinks fit: its warnings are part of every election.
func raftLogger(log *slog.Logger) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: "raft", Level: hclog.Info, Output: logWriter{log}, DisableTime: true})
}

type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	line := strings.TrimSpace(string(p))
	level := slog.LevelDebug
	if strings.HasPrefix(line, "[ERROR]") {
		level = slog.LevelInfo
	}
	w.log.Log(context.Background(), level, line)
	return len(p), nil
}

var _ io.Writer = logWriter{}
