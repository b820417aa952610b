// Package trainer is a worker: it takes part in the generations of a job, computes the micro-batches of its segments,
// and combines gradients with the other members over the ring. It is the only place where shard, dataset, model,
// fixed, ring and ckpt meet.
//
// A worker's training state changes as a whole, between steps, or not at all. Nothing in a step needs a coordinator.
package trainer

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"lockstep/internal/source"
	"time"

	"lockstep/internal/certs"
	"lockstep/internal/telemetry"
)

// Config is what a worker needs.
type Config struct {
	Coordinators []string         // gRPC addresses of the coordinators; any of them will do
	Listen       string           // address to listen on, for the other members
	Advertise    string           // address under which they reach this worker; default: what Listen got
	DataDir      string           // where the worker's name is kept over restarts; empty: nowhere
	Cores        int              // micro-batches computed at a time; default: GOMAXPROCS
	FailAt       FailAt           // for tests of poison: a micro-batch that this worker cannot compute
	StepTime     time.Duration    // for tests of faults: a step takes at least this long, so that there is time to disturb it
	FlipStep     uint64           // for tests of corruption: after this step, once, a bit of the parameters changes; 0: never
	Scratch      string           // where data is kept, and goes that is larger than memory; default: DataDir
	CacheSize    int64            // bytes of data from elsewhere that are kept in DataDir; default 10 GiB
	Memory       int64            // bytes of decoded records that are held in memory; default: no bound
	S3           source.S3        // where s3 sources are, and who reads them
	DataRoots    source.Roots     // folders that local sources of jobs may lie in; none: they may lie anywhere
	Name         string           // begins the worker's id; default: the host's name
	TLS          certs.Source     // what this worker shows and trusts; nil: connections are plain, and anybody may do anything
	HTTP         string           // address of the HTTP server for metrics; empty: none
	Telemetry    telemetry.Source // how it is watched
	Log          *slog.Logger     // default: slog.Default()
}

// DefaultCache is the size of a worker's cache of data, in bytes.
const DefaultCache = 10 << 30

// Validate fills in defaults and reports what is missing.
func (c *Config) Validate() error {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Telemetry.SetDefaults()
	if c.CacheSize == 0 {
		c.CacheSize = DefaultCache
	}
	if c.Cores == 0 {
		c.Cores = runtime.GOMAXPROCS(0)
	}
	if c.Name == "" {
		name, err := keptName(c.DataDir)
		if err != nil {
			return fmt.Errorf("worker's name: %w", err)
		}
		c.Name = name
	}
	switch {
	case len(c.Coordinators) == 0:
		return errors.New("worker: no coordinator's address is given")
	case c.Listen == "":
		return errors.New("worker: address to listen on is missing")
	case c.Cores < 1:
		return fmt.Errorf("worker: %d cores", c.Cores)
	}
	if err := c.DataRoots.Validate(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

// keptName is the host's name when the worker first started on a data directory: containers that are made anew keep
// the name under which their users know them.
func keptName(dir string) (string, error) {
	host, err := os.Hostname()
	if err != nil || dir == "" {
		return host, err
	}
	file := filepath.Join(dir, "name")
	switch name, err := os.ReadFile(file); {
	case err == nil:
		return strings.TrimSpace(string(name)), nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return host, os.WriteFile(file, []byte(host+"\n"), 0o644)
}

// newID makes the id of a worker process: its name and random letters, since a process that starts again knows
// nothing of what the one before it knew.
func newID(name string) string {
	var b [3]byte
	rand.Read(b[:])
	token := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, name)
	return token + "-" + hex.EncodeToString(b[:])
}

// advertised is the address that others dial: what is configured, else what the listener got, with the host's name in
// the place of an unspecified address.
func (c *Config) advertised(l net.Listener) (string, error) {
	if c.Advertise != "" {
		return c.Advertise, nil
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", fmt.Errorf("worker's address: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return "", fmt.Errorf("worker's address: %w", err)
		}
	}
	return net.JoinHostPort(host, port), nil
}
