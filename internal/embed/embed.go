// Package embed runs a whole cluster in this process: coordinators with raft over loopback TCP, a NATS server, and
// workers with their ring. It is what `lockstep run` and `lockstep up` start.
package embed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"lockstep/internal/coord"
	"lockstep/internal/event"
	"lockstep/internal/source"
	"lockstep/internal/telemetry"
	"lockstep/internal/trainer"
)

// Config says how large the cluster is and where it keeps its data.
type Config struct {
	Coordinators int           // default 3
	Workers      int           // default 4
	Lease        time.Duration // of workers and coordinators; default 1 min: they live and die together, so silence is load
	Cores        int           // of each worker; default: this machine's, shared out evenly, at least 1
	Memory       int64         // bytes of decoded data that each worker holds in memory; 0: no bound
	S3           source.S3     // where s3 sources are, and who reads them
	DataRoots    source.Roots  // folders that local sources of jobs may lie in; none: they may lie anywhere
	DataDir      string        // a directory that holds a cluster's data goes on where it was
	Listen       string        // gRPC address of the first coordinator; default: a free port of the loopback interface
	HTTP         string        // HTTP address of the first coordinator; default: a free port of the loopback interface
	Log          *slog.Logger
	Telemetry    telemetry.Source // of all: each has its name as label "process" in the metrics
}

func (c *Config) validate() error {
	if c.Coordinators == 0 {
		c.Coordinators = 3
	}
	if c.Workers == 0 {
		c.Workers = 4
	}
	if c.Cores == 0 {
		c.Cores = max(1, runtime.GOMAXPROCS(0)/max(c.Workers, 1))
	}
	if c.Lease == 0 {
		c.Lease = time.Minute
	}
	c.Telemetry.SetDefaults()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	const loopback = "127.0.0.1:0"
	if c.Listen == "" {
		c.Listen = loopback
	}
	if c.HTTP == "" {
		c.HTTP = loopback
	}
	if c.DataDir == "" {
		return errors.New("embedded cluster: data directory is missing")
	}
	if c.Coordinators < 1 || c.Workers < 0 {
		return fmt.Errorf("embedded cluster: %d coordinators and %d workers", c.Coordinators, c.Workers)
	}
	return c.DataRoots.Validate()
}

// telemetryOf is how one process of a cluster would be watched.
func (c *Config) telemetryOf(process string) telemetry.Source {
	s := c.Telemetry
	s.Process = process
	return s
}

// Cluster is a running cluster.
type Cluster struct {
	nodes     []*coord.Node
	addresses []string
	http      string
	nats      *event.Server
	stop      context.CancelFunc
	workers   sync.WaitGroup
	close     sync.Once
}

// Start starts a cluster and waits until it has a leader.
func Start(ctx context.Context, cfg Config) (_ *Cluster, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &Cluster{}
	run, stop := context.WithCancel(context.Background())
	c.stop = stop
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.nats, err = event.StartServer(event.ServerConfig{Dir: filepath.Join(cfg.DataDir, "nats"), Addr: "127.0.0.1:0", Log: cfg.Log}); err != nil {
		return nil, fmt.Errorf("start NATS: %w", err)
	}
	if err := c.openCoordinators(cfg); err != nil {
		return nil, err
	}
	if err := c.awaitLeader(ctx); err != nil {
		return nil, err
	}
	for i := range cfg.Workers {
		name := fmt.Sprintf("worker-%d", i+1)
		w := trainer.Config{Coordinators: c.addresses, Listen: "127.0.0.1:0", Cores: cfg.Cores, S3: cfg.S3, DataRoots: cfg.DataRoots, Memory: cfg.Memory, Scratch: filepath.Join(cfg.DataDir, "data"), Name: name, Log: cfg.Log, Telemetry: cfg.telemetryOf(name)}
		c.workers.Go(func() {
			if err := trainer.Run(run, w); err != nil {
				cfg.Log.Error("worker ended", "error", err)
			}
		})
	}
	return c, nil
}

// seat is a coordinator's place: its name and its listeners.
type seat struct {
	id               string
	grpc, raft, http net.Listener
}

func (c *Cluster) openCoordinators(cfg Config) error {
	var seats []seat
	var servers []coord.Server
	for i := range cfg.Coordinators {
		s, err := takeSeat(i, cfg)
		if err != nil {
			return err
		}
		seats = append(seats, s)
		servers = append(servers, coord.Server{ID: s.id, Address: s.raft.Addr().String()})
	}
	c.http = seats[0].http.Addr().String()
	for _, s := range seats {
		n, err := coord.Open(coord.Config{ID: s.id, DataDir: filepath.Join(cfg.DataDir, s.id), Bootstrap: servers,
			Advertise: s.grpc.Addr().String(), RaftAdvertise: s.raft.Addr().String(), HTTP: s.http.Addr().String(),
			GRPCListener: s.grpc, RaftListener: s.raft, HTTPListener: s.http, NATSURL: c.nats.ClientURL(), Lease: cfg.Lease, DataRoots: cfg.DataRoots, Log: cfg.Log,
			Telemetry: cfg.telemetryOf(s.id)})
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
		c.addresses = append(c.addresses, s.grpc.Addr().String())
	}
	return c.elect()
}

// elect has the coordinator with the longest log stand for election: the others need not wait for silence.
func (c *Cluster) elect() error {
	return slices.MaxFunc(c.nodes, func(a, b *coord.Node) int { return cmp.Compare(a.LastIndex(), b.LastIndex()) }).Campaign()
}

func takeSeat(i int, cfg Config) (s seat, err error) {
	const loopback = "127.0.0.1:0"
	s.id = fmt.Sprintf("coordinator-%d", i+1)
	listen, http := loopback, loopback
	if i == 0 {
		listen, http = cfg.Listen, cfg.HTTP
	}
	for _, l := range []struct {
		to      *net.Listener
		address string
	}{{&s.grpc, listen}, {&s.raft, loopback}, {&s.http, http}} {
		if *l.to, err = net.Listen("tcp", l.address); err != nil {
			return s, fmt.Errorf("start %s: %w", s.id, err)
		}
	}
	return s, nil
}

// leaderPoll is how often a starting cluster is asked whether it has a leader.
const leaderPoll = 20 * time.Millisecond

func (c *Cluster) awaitLeader(ctx context.Context) error {
	t := time.NewTicker(leaderPoll)
	defer t.Stop()
	for {
		for _, n := range c.nodes {
			if n.Leads() {
				return nil
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for a leader: %w", context.Cause(ctx))
		}
	}
}

// Addresses are the gRPC addresses of the coordinators.
func (c *Cluster) Addresses() []string { return c.addresses }

// HTTP is the HTTP address of the first coordinator.
func (c *Cluster) HTTP() string { return c.http }

// NATSURL is the address of the NATS server.
func (c *Cluster) NATSURL() string { return c.nats.ClientURL() }

// Close stops the workers, which say goodbye, then the coordinators, then NATS. Closing twice is safe.
func (c *Cluster) Close() error {
	var errs []error
	c.close.Do(func() {
		c.stop()
		c.workers.Wait()
		for _, n := range c.nodes {
			errs = append(errs, n.Close())
		}
		if c.nats != nil {
			errs = append(errs, c.nats.Close())
		}
	})
	return errors.Join(errs...)
}
