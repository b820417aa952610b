// Package coord is a coordinator: one raft replica of the cluster's state (internal/job), the gRPC services that users
// and workers speak to, and, on the leader, the loop that schedules jobs, forms generations and publishes events.
//
// What is replicated is in internal/job. What only the leader knows, and a new leader rebuilds, is here: when a
// worker was last heard of, and which members of a forming generation have reported where they stand.
package coord

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"lockstep/internal/certs"
	"lockstep/internal/source"
	"lockstep/internal/telemetry"
)

// Config is what a coordinator needs. Listeners that are given are used instead of opening the addresses.
type Config struct {
	ID            string           // this replica's name, one of Bootstrap's
	DataDir       string           // directory of the log, the snapshots and the checkpoint chunks
	Listen        string           // gRPC address to listen on
	Advertise     string           // gRPC address under which others reach this coordinator; default: Listen
	RaftListen    string           // raft address to listen on
	RaftAdvertise string           // raft address under which the others reach it; default: RaftListen
	HTTP          string           // address of the HTTP server; empty: none
	Bootstrap     []Server         // all coordinators, this one included; the same list on each
	NATSURL       string           // NATS server for events; empty: events stay in the log, for readers over gRPC
	Lease         time.Duration    // a worker that is silent for longer is lost; raft's timeouts are a third of it; default 3 s
	Reserve       int64            // free bytes of the disk that checkpoints leave alone, for the raft log; default 64 MiB
	TLS           certs.Source     // what this coordinator shows and trusts; nil: connections are plain, and anybody may do anything
	CA            *certs.CA        // signs the certificates of workers that show a join token; nil: none do
	DataRoots     source.Roots     // folders of the workers that local sources of jobs may lie in; none: they may lie anywhere
	Telemetry     telemetry.Source // how it is watched
	Log           *slog.Logger     // default: slog.Default()

	GRPCListener net.Listener // overrides Listen
	RaftListener net.Listener // overrides RaftListen
	HTTPListener net.Listener // overrides HTTP
}

// minLease is the shortest lease: below it the noise of a network counts as a loss.
const minLease = 300 * time.Millisecond

// Server is a coordinator as the others know it.
type Server struct {
	ID      string
	Address string // host:port of its raft transport
}

// ParseServers reads "id=host:port,id=host:port,...".
func ParseServers(list string) ([]Server, error) {
	var out []Server
	for _, item := range strings.Split(list, ",") {
		id, address, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok || id == "" {
			return nil, fmt.Errorf("coordinator %q: want id=host:port", item)
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("coordinator %q: %w", item, err)
		}
		out = append(out, Server{ID: id, Address: address})
	}
	return out, nil
}

// Validate fills in defaults and reports what is missing.
func (c *Config) Validate() error {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Telemetry.SetDefaults()
	c.Lease = orDefault(c.Lease, 3*time.Second)
	c.Reserve = orDefault(c.Reserve, 64<<20)
	c.Advertise = orDefault(c.Advertise, c.Listen)
	c.RaftAdvertise = orDefault(c.RaftAdvertise, c.RaftListen)
	switch {
	case c.Lease < minLease:
		return fmt.Errorf("coordinator: lease %v: want at least %v", c.Lease, minLease)
	case c.ID == "":
		return errors.New("coordinator: node id is missing")
	case c.DataDir == "":
		return errors.New("coordinator: data directory is missing")
	case c.Listen == "" && c.GRPCListener == nil:
		return errors.New("coordinator: address to listen on is missing")
	case c.RaftListen == "" && c.RaftListener == nil:
		return errors.New("coordinator: raft address to listen on is missing")
	}
	return c.validateServers()
}

func (c *Config) validateServers() error {
	if len(c.Bootstrap) == 0 {
		c.Bootstrap = []Server{{ID: c.ID, Address: c.RaftAdvertise}}
	}
	seen := map[string]bool{}
	for _, s := range c.Bootstrap {
		if seen[s.ID] {
			return fmt.Errorf("coordinator: %q stands twice in the bootstrap list", s.ID)
		}
		seen[s.ID] = true
	}
	if !seen[c.ID] {
		return fmt.Errorf("coordinator: node id %q is not in the bootstrap list", c.ID)
	}
	return nil
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}
