// Package testcluster runs a cluster of real processes for tests: coordinators and workers built from this module,
// on loopback addresses of their own, that can be killed with SIGKILL, frozen, and started again on their data.
package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
	"lockstep/internal/chaos"
	"lockstep/internal/client"
	"lockstep/internal/testaddr"
)

// Limit bounds every wait: these tests run on machines that are busy with other things.
const Limit = 3 * time.Minute

// Options are the parts of a cluster that tests vary.
type Options struct {
	Coordinators int           // default 3
	Workers      int           // started with the cluster
	Dir          string        // of all data; default: the test's temporary directory
	Env          []string      // of all processes, on top of the test's own
	WorkerArgs   []string      // further flags of all workers
	SeatArgs     []string      // further flags of all coordinators
	Undisturbed  bool          // steps take no longer than they need; otherwise stepTime, so that there is time to disturb a job
	Patience     time.Duration // of every wait; default: Limit
	NATSURL      string        // NATS server of all coordinators; default: each embeds one
	Secure       bool          // every process has a certificate, and connections are mutual TLS
	Hosts        bool          // every process on a host of its own, that can be cut off; skips the test where that is not permitted
}

// pollEvery is how long a wait looks away, so that it does not take the cores from what it waits for.
const pollEvery = 10 * time.Millisecond

// stepTime makes the usual job take some seconds, however fast the machine.
const stepTime = 8 * time.Millisecond

// Cluster is a cluster under test.
type Cluster struct {
	t       *testing.T
	opts    Options
	dir     string
	seats   []*Process // the coordinators, alive or not
	workers []*Process
	network *chaos.Network // of the hosts; nil: none
	certs   *certs.Folder  // of a secure cluster
	Client  *client.Client
}

// Process is one coordinator or worker.
type Process struct {
	Name    string
	Address string // gRPC
	HTTP    string // coordinators only
	raft    string
	host    chaos.Host
	args    []string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
	log     string
}

// Start starts a cluster and stops it at the end of the test.
func Start(t *testing.T, o Options) *Cluster {
	t.Helper()
	if o.Coordinators == 0 {
		o.Coordinators = 3
	}
	c := &Cluster{t: t, opts: o, dir: o.Dir}
	if c.dir == "" {
		c.dir = t.TempDir()
	}
	t.Cleanup(c.stop)
	c.connect()
	c.seat()
	c.Client = c.dial("admin/admin", c.Addresses()...)
	for i := range c.seats {
		c.StartCoordinator(i)
	}
	for range o.Workers {
		c.AddWorker()
	}
	return c
}

// connect makes the network of the hosts, if they are wanted.
func (c *Cluster) connect() {
	c.t.Helper()
	if !c.opts.Hosts {
		return
	}
	n, err := chaos.NewNetwork()
	switch {
	case errors.Is(err, exec.ErrNotFound), err != nil && strings.Contains(err.Error(), "not permitted"):
		c.t.Skipf("hosts of their own need iproute2 and root: %v", err)
	case err != nil:
		c.t.Fatal(err)
	}
	c.network = n
}

// place gives a process its host and its addresses.
func (c *Cluster) place(p *Process) {
	c.t.Helper()
	if c.network == nil {
		p.Address, p.raft = testaddr.New(c.t), testaddr.New(c.t)
		return
	}
	h, err := c.network.AddHost()
	if err != nil {
		c.t.Fatal(err)
	}
	p.host, p.Address, p.raft = h, h.Address+":7070", h.Address+":7071"
}

// seat gives every coordinator its addresses.
func (c *Cluster) seat() {
	var list []string
	for i := range c.opts.Coordinators {
		p := &Process{Name: fmt.Sprintf("coordinator-%d", i+1), HTTP: testaddr.New(c.t)}
		c.place(p)
		c.seats = append(c.seats, p)
		list = append(list, p.Name+"="+p.raft)
	}
	for _, p := range c.seats {
		p.args = append([]string{"--node-id", p.Name, "--data-dir", filepath.Join(c.dir, p.Name), "--listen", p.Address,
			"--raft-listen", p.raft, "--http", p.HTTP, "--bootstrap", strings.Join(list, ","), "--nats-url", c.opts.NATSURL}, c.opts.SeatArgs...)
		p.args = append(p.args, c.tlsArgs("coordinator/"+p.Name)...)
	}
}

// Addresses are the coordinators' gRPC addresses.
func (c *Cluster) Addresses() []string {
	var out []string
	for _, p := range c.seats {
		out = append(out, p.Address)
	}
	return out
}

// StartCoordinator starts the i-th coordinator, again if it was killed.
func (c *Cluster) StartCoordinator(i int) {
	c.t.Helper()
	c.launch(c.seats[i], "coordinator")
}

// only returns a client of one coordinator alone.
func (c *Cluster) only(i int) *client.Client {
	c.t.Helper()
	one := c.dial("admin/admin", c.seats[i].Address)
	c.t.Cleanup(func() { one.Close() })
	return one
}

// AddWorker starts a new worker, with further flags.
func (c *Cluster) AddWorker(args ...string) *Process {
	c.t.Helper()
	n := len(c.workers) + 1
	p := &Process{Name: fmt.Sprintf("worker-%d", n)}
	c.place(p)
	p.args = append([]string{"--coordinators", strings.Join(c.Addresses(), ","), "--listen", p.Address, "--cores", "1",
		"--data-dir", filepath.Join(c.dir, p.Name)}, append(args, c.opts.WorkerArgs...)...)
	if !c.opts.Undisturbed {
		p.args = append(p.args, "--test-step-time", stepTime.String())
	}
	p.args = append(p.args, c.tlsArgs("worker/"+p.Name)...)
	c.workers = append(c.workers, p)
	c.launch(p, "worker")
	return p
}

func (c *Cluster) launch(p *Process, program string) {
	c.t.Helper()
	p.log = filepath.Join(c.dir, p.Name+".log")
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	defer out.Close()
	line := append([]string{Binary(c.t, program)}, append(p.args, "--log-level", "debug")...)
	if c.network != nil {
		line = p.host.Command(line...)
	}
	p.cmd = exec.Command(line[0], line[1:]...)
	p.cmd.Env = append(os.Environ(), c.opts.Env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		_ = cmd.Wait() // how it ended shows in its log
	}(p.cmd, p.done)
}

// Alive reports whether the process runs.
func (p *Process) Alive() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to a process.
func (p *Process) Signal(s syscall.Signal) {
	if p.Alive() {
		_ = p.cmd.Process.Signal(s) // it may just have ended
	}
}

// Kill ends a process with SIGKILL and waits until it is gone.
func (p *Process) Kill() {
	if p.Alive() {
		p.Signal(syscall.SIGKILL)
		<-p.done
	}
}

// Stop asks a process to end with SIGTERM and waits until it has.
func (p *Process) Stop() {
	if p.Alive() {
		p.Signal(syscall.SIGTERM)
		<-p.done
	}
}

// Workers are all workers that were started, alive or not.
func (c *Cluster) Workers() []*Process { return c.workers }

// KillWorkers kills all workers.
func (c *Cluster) KillWorkers() {
	for _, p := range c.workers {
		p.Kill()
	}
}

// KillCoordinators kills all coordinators.
func (c *Cluster) KillCoordinators() {
	for _, p := range c.seats {
		p.Kill()
	}
}

// Leader returns the coordinator that leads.
func (c *Cluster) Leader() *Process {
	c.t.Helper()
	for ctx := c.context(); ; {
		s, err := c.Client.GetStatus(ctx, &lockstepv1.GetStatusRequest{Local: true})
		if err != nil {
			c.t.Fatalf("who leads: %v", err)
		}
		for _, p := range c.seats {
			if p.Name == s.Leader && p.Alive() {
				return p
			}
		}
		after(pollEvery)
	}
}

// WaitWorkers waits until the cluster knows so many workers.
func (c *Cluster) WaitWorkers(n int) {
	c.t.Helper()
	for ctx := c.context(); ; {
		r, err := c.Client.ListWorkers(ctx, &lockstepv1.ListWorkersRequest{})
		if err != nil {
			c.t.Fatalf("wait for %d workers: %v", n, err)
		}
		if len(r.Workers) == n {
			return
		}
		after(pollEvery)
	}
}

// after lets a time pass.
func after(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	<-ctx.Done()
}

// context is one that ends with the test's patience.
func (c *Cluster) context() context.Context {
	patience := c.opts.Patience
	if patience == 0 {
		patience = Limit
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	c.t.Cleanup(cancel)
	return ctx
}

// stop ends everything; the logs are shown if the test failed.
func (c *Cluster) stop() {
	if c.Client != nil {
		c.Client.Close()
	}
	for _, p := range append(c.workers, c.seats...) {
		p.Signal(syscall.SIGCONT)
		p.Kill()
		if c.t.Failed() && p.log != "" {
			c.showLog(p)
		}
	}
	if c.network != nil {
		if err := c.network.Close(); err != nil {
			c.t.Error(err)
		}
	}
}

// logTail is how much of a log a failed test shows.
const logTail = 6000

func (c *Cluster) showLog(p *Process) {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return
	}
	c.t.Logf("log of %s (its end):\n%s", p.Name, data[max(0, len(data)-logTail):])
}
