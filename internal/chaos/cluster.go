package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Config says what cluster to start.
type Config struct {
	Program      []string // runs a coordinator with "coordinator" and its flags appended, a worker with "worker" and its
	Dir          string   // of all data and logs
	Coordinators int
	Workers      int
	Hosts        bool // each on a host of its own, that can be cut off
}

// Cluster is a cluster of processes to disturb. Its methods are not safe for concurrent use.
type Cluster struct {
	cfg     Config
	network *Network // nil: all on this host
	members map[string]*member
	names   []string // coordinators first
}

// member is one process, and the next one in its place.
type member struct {
	name    string
	address string // gRPC
	raft    string // of a coordinator
	host    Host
	args    []string
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
}

// Start starts a cluster.
func Start(cfg Config) (c *Cluster, err error) {
	c = &Cluster{cfg: cfg, members: map[string]*member{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if cfg.Hosts {
		if c.network, err = NewNetwork(); err != nil {
			return c, fmt.Errorf("a partition needs Linux, iproute2 and the right to make networks: %w", err)
		}
	}
	if err := c.place(); err != nil {
		return c, err
	}
	for _, name := range c.names {
		if err := c.launch(c.members[name]); err != nil {
			return c, err
		}
	}
	return c, nil
}

// place gives every process its addresses and its command line.
func (c *Cluster) place() error {
	var peers []string
	for i := range c.cfg.Coordinators + c.cfg.Workers {
		m := &member{name: fmt.Sprintf("worker-%d", i-c.cfg.Coordinators+1)}
		if i < c.cfg.Coordinators {
			m.name = fmt.Sprintf("coordinator-%d", i+1)
		}
		if err := c.address(m); err != nil {
			return err
		}
		c.members[m.name], c.names = m, append(c.names, m.name)
		if i < c.cfg.Coordinators {
			peers = append(peers, m.name+"="+m.raft)
		}
	}
	for i, name := range c.names {
		m := c.members[name]
		m.args = []string{"worker", "--coordinators", strings.Join(c.Addresses(), ","), "--listen", m.address, "--name", name}
		if i < c.cfg.Coordinators {
			m.args = []string{"coordinator", "--node-id", name, "--data-dir", filepath.Join(c.cfg.Dir, name), "--listen", m.address,
				"--raft-listen", m.raft, "--bootstrap", strings.Join(peers, ",")}
		}
	}
	return nil
}

// address gives a process its host, or free ports of this one.
func (c *Cluster) address(m *member) (err error) {
	if c.network != nil {
		m.host, err = c.network.AddHost()
		m.address, m.raft = m.host.Address+":7070", m.host.Address+":7071"
		return err
	}
	m.address, m.raft, err = freeAddresses()
	return err
}

// freeAddresses are two addresses of the loopback interface that nobody listens on.
func freeAddresses() (a, b string, err error) {
	one, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer one.Close()
	two, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer two.Close()
	return one.Addr().String(), two.Addr().String(), nil
}

// Addresses are the gRPC addresses of the coordinators.
func (c *Cluster) Addresses() (list []string) {
	for _, name := range c.names[:c.cfg.Coordinators] {
		list = append(list, c.members[name].address)
	}
	return list
}

func (c *Cluster) launch(m *member) error {
	out, err := os.OpenFile(filepath.Join(c.cfg.Dir, m.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	defer out.Close()
	line := append(append([]string{}, c.cfg.Program...), m.args...)
	if c.network != nil {
		line = m.host.Command(line...)
	}
	m.cmd = exec.Command(line[0], line[1:]...)
	m.cmd.Stdout, m.cmd.Stderr = out, out
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is not for it
	if err := m.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	m.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		_ = cmd.Wait() // how it ended is in its log
	}(m.cmd, m.done)
	return nil
}

func (m *member) signal(s syscall.Signal) error {
	if m.cmd == nil {
		return nil
	}
	select {
	case <-m.done:
		return nil
	default:
		return m.cmd.Process.Signal(s)
	}
}

// kill ends a process and waits until it is gone.
func (m *member) kill() error {
	err := m.signal(syscall.SIGKILL)
	if m.cmd != nil && err == nil {
		<-m.done
	}
	return err
}

// Close kills everything and removes the network.
func (c *Cluster) Close() error {
	var errs []error
	for _, name := range c.names {
		m := c.members[name]
		errs = append(errs, m.signal(syscall.SIGCONT), m.kill())
	}
	if c.network != nil {
		errs = append(errs, c.network.Close())
	}
	return errors.Join(errs...)
}

// Inject lets a fault happen, and what it returns ends it. chunk gives bytes of a checkpoint for Corrupt, nil if there are none
// yet.
func (c *Cluster) Inject(ctx context.Context, f Fault, chunk func(context.Context) []byte) (end func() error, err error) {
	m := c.members[f.Target]
	nothing := func() error { return nil }
	switch f.Kind {
	case Kill:
		return func() error { return c.launch(m) }, m.kill()
	case Freeze:
		return func() error { return m.signal(syscall.SIGCONT) }, m.signal(syscall.SIGSTOP)
	case Partition:
		return m.host.Heal, m.host.Cut()
	case Slow:
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- SlowDown(ctx, m.cmd.Process.Pid, 10) }()
		return func() error { cancel(); return <-done }, nil
	case Corrupt:
		data := chunk(ctx)
		if data == nil {
			return nothing, nil
		}
		err := FlipBit(filepath.Join(c.cfg.Dir, f.Target, "chunks.db"), data)
		if errors.Is(err, ErrNotThere) {
			err = nil
		}
		return nothing, err
	}
	return nothing, fmt.Errorf("unknown kind of fault %q", f.Kind)
}
