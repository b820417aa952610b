package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/bench"
	"lockstep/internal/certs"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/flagenv"
	"lockstep/internal/ring"
	"lockstep/internal/ringbench"
)

// ringBench are the flags of bench allreduce.
type ringBench struct {
	config    bench.RingConfig
	world     int
	mode      string
	transport string
}

func (a *app) benchAllReduceCommand() *cobra.Command {
	var b ringBench
	cmd := &cobra.Command{
		Use: "allreduce", Short: "The all-reduce that every training step runs on, between processes or workers", Args: wants(),
		Long: `Sums vectors over the members of a ring, as a training step sums gradients, and for comparison with a ring of float32 over
bare TCP connections, in turns. The members are processes that are started on this machine for the purpose or, with --addr,
workers of a running cluster that have no job; their addresses must be reachable from here. Times are medians of --repeats,
each the mean of many reductions. BUS is the rate of bytes that a float32 ring would need to be as fast, WIRE the bytes that
were sent in proportion to such a ring's.`,
		Example: `  lockstep bench allreduce
  lockstep bench allreduce --world 4 --values 1000,1000000 --transport tcp
  lockstep bench allreduce --addr 127.0.0.1:7070 -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.benchAllReduce(cmd, &b) },
	}
	f := cmd.Flags()
	f.UintSliceVar(&b.config.Values, "values", bench.RingValues(), "lengths of the vectors, `N,...`, in float32 values")
	f.IntVar(&b.world, "world", 0, "take `N` members; default: 2 processes, or all idle workers of the cluster")
	f.StringVar(&b.mode, "mode", "exact", "sums: exact or float32")
	f.StringVar(&b.config.Algorithm, "algorithm", "auto", "auto (by size), direct, doubling or ring")
	f.StringVar(&b.transport, "transport", "memory", "between processes: memory (shared), unix (socket), tcp, or grpc (messages over TCP)")
	f.IntVar(&b.config.Repeats, "repeats", 5, "measure `N` times")
	oneOf(cmd, "mode", "exact", "float32")
	oneOf(cmd, "algorithm", "auto", "direct", "doubling", "ring")
	oneOf(cmd, "transport", "memory", "unix", "tcp", "grpc")
	a.tls.AddFlags(f)
	addToken(f, &a.token)
	f.StringSliceVar(&a.addresses, flagAddress, nil, "measure between the workers of the cluster of these coordinators, `HOST:PORT` [$"+flagenv.Name(flagAddress)+"]")
	return a.data(cmd)
}

func (b *ringBench) validate(cmd *cobra.Command) error {
	_, err := ring.ParseAlgorithm(b.config.Algorithm)
	switch {
	case err != nil:
		return usageErrorf(cmd, "%w", err)
	case b.mode != "exact" && b.mode != "float32":
		return usageErrorf(cmd, "mode %q: want exact or float32", b.mode)
	case !slices.Contains(ringbench.Transports, b.transport):
		return usageErrorf(cmd, "transport %q: want one of %s", b.transport, strings.Join(ringbench.Transports, ", "))
	case b.world != 0 && b.world < 2:
		return usageErrorf(cmd, "a ring of %d members: want 2 or more", b.world)
	case b.config.Repeats < 1 || len(b.config.Values) == 0 || slices.Contains(b.config.Values, 0):
		return usageErrorf(cmd, "nothing to measure: want vectors of at least one value, and at least one repeat")
	}
	b.config.Exact = b.mode == "exact"
	return nil
}

func (a *app) benchAllReduce(cmd *cobra.Command, b *ringBench) error {
	if err := b.validate(cmd); err != nil {
		return err
	}
	if len(a.addresses) == 0 {
		b.config.Credentials = certs.ClientCredentials(nil)
		return a.withProcesses(cmd.Context(), b, func(members []string) error { return a.measureRing(cmd.Context(), members, b) })
	}
	return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) error {
		to, err := a.target()
		if err != nil {
			return err
		}
		source, err := sourceFor(to)
		if err != nil {
			return err
		}
		b.config.Credentials = certs.ClientCredentials(source, certs.Worker)
		members, err := idleWorkers(ctx, c, b.world)
		if err != nil {
			return err
		}
		return a.measureRing(ctx, members, b)
	})
}

// idleWorkers returns the addresses of n workers without a job; n 0 means all.
func idleWorkers(ctx context.Context, c *client.Client, n int) ([]string, error) {
	r, err := c.ListWorkers(ctx, &lockstepv1.ListWorkersRequest{})
	if err != nil {
		return nil, answer(err)
	}
	var out []string
	for _, w := range r.Workers {
		if w.Job == "" {
			out = append(out, w.Worker.Address)
		}
	}
	if len(out) < max(n, 2) {
		return nil, fmt.Errorf("%d of the cluster's %d workers are idle, want %d", len(out), len(r.Workers), max(n, 2))
	}
	if n > 0 {
		out = out[:n]
	}
	return out, nil
}

// withProcesses runs f with the addresses of processes that are members.
func (a *app) withProcesses(ctx context.Context, b *ringBench, f func(members []string) error) (err error) {
	own, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	var members []string
	for range max(b.world, 2) {
		p := exec.CommandContext(ctx, own, "bench", memberCommand, b.transport)
		p.Stderr = a.err
		address, stop, err := startMember(p)
		if err != nil {
			return fmt.Errorf("start a member: %w", err)
		}
		defer stop()
		members = append(members, address)
	}
	return f(members)
}

// startMember starts a process that prints its address, and ends when its input does.
func startMember(p *exec.Cmd) (address string, stop func(), err error) {
	in, err := p.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := p.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := p.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		in.Close()
		p.Wait() // its work is done, or has failed for a reason that is known
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, errors.Join(errors.New("it did not tell its address"), err)
	}
	return strings.TrimSpace(line), stop, nil
}

const memberCommand = "allreduce-member"

// benchMemberCommand is the process that withProcesses starts.
func (a *app) benchMemberCommand() *cobra.Command {
	return &cobra.Command{
		Use: memberCommand + " TRANSPORT", Short: "Take part in bench allreduce until standard input ends", Hidden: true, Args: wants("TRANSPORT"),
		Example: "  lockstep bench " + memberCommand + " memory",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			go func() {
				defer cancel()
				io.Copy(io.Discard, a.in)
			}()
			return ringbench.Serve(ctx, args[0], func(address string) { fmt.Fprintln(a.out, address) })
		},
	}
}

func (a *app) measureRing(ctx context.Context, members []string, b *ringBench) error {
	figures, err := bench.AllReduce(ctx, members, b.config)
	if err != nil {
		return err
	}
	p := printed{value: figures}
	g := console.Grid{Columns: []console.Column{{Name: "VALUES"}, {Name: "SIZE"}, {Name: "ALGORITHM"}, {Name: "TIME"}, {Name: "BUS"}, {Name: "WIRE"},
		{Name: "BARE TCP"}, {Name: "RATIO"}}}
	for _, f := range figures {
		p.names = append(p.names, fmt.Sprint(f.Values))
		g.Add(fmt.Sprint(f.Values), size(int64(f.Bytes)), f.Algorithm, micro(f.Seconds), size(int64(f.BusBandwidth))+"/s", fmt.Sprintf("%.3f", f.WireRatio),
			micro(f.TCPSeconds), fmt.Sprintf("%.2f", f.TCPRatio))
	}
	p.table = g.Write
	return a.print(p)
}

// micro writes seconds as microseconds.
func micro(s float64) string { return fmt.Sprintf("%.0f µs", s*1e6) }
