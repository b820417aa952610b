// Command worker computes gradients for the jobs of a Lockstep cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"lockstep/internal/certs"
	"lockstep/internal/flagenv"
	"lockstep/internal/healthcheck"
	"lockstep/internal/source"
	"lockstep/internal/telemetry"
	"lockstep/internal/trainer"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := command()
	cmd.SetArgs(args)
	return cmd.ExecuteContext(ctx)
}

// must is for what only a programmer can get wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func command() *cobra.Command {
	var c trainer.Config
	var tls certs.Files
	var join joinFlags
	var logFormat, logLevel string
	var watched telemetry.Flags
	var roots flagenv.Folders
	cache, memory := flagenv.Size(trainer.DefaultCache), flagenv.Size(0)
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Computes gradients for the jobs of a Lockstep cluster",
		Long: `worker registers with the coordinators and takes part in whatever job they give it. Start as many as you like, whenever
you like: a job's result does not depend on it. Every flag is an environment variable too: --cores is LOCKSTEP_CORES.
On SIGTERM it leaves its job, which goes on without it, and ends.`,
		Example: `  worker --coordinators a.example:7070,b.example:7070,c.example:7070 --listen :7080 --advertise w1.example:7080 \
    --data-dir /var/lib/lockstep-worker --cores 4`,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return flagenv.Apply(c.Flags()) },
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Log, err = flagenv.Logger(logFormat, logLevel); err != nil {
				return err
			}
			if !cmd.Flags().Changed("memory-for-data") {
				memory = flagenv.HalfOfMemory()
			}
			c.CacheSize, c.Memory, c.S3, c.DataRoots = int64(cache), int64(memory), source.S3FromEnv(os.Getenv), source.Roots(roots)
			if join.given() {
				stop, err := join.enroll(cmd.Context(), &c, &tls)
				if err != nil {
					return err
				}
				defer stop()
			} else if c.TLS, err = tls.Source(certs.Named); err != nil {
				return err
			}
			return work(cmd.Context(), c, &watched)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.Coordinators, "coordinators", nil, "gRPC addresses of the coordinators, separated by commas; any of them will do")
	f.StringVar(&c.Listen, "listen", "0.0.0.0:7080", "address to listen on, for the other workers")
	f.StringVar(&c.Advertise, "advertise", "", "address under which they reach this worker (default: the host's name and --listen's port)")
	f.StringVar(&c.HTTP, "http", "", "HTTP address to listen on for /metrics and /healthz, such as 0.0.0.0:8081; empty: none")
	f.StringVar(&c.DataDir, "data-dir", "", "directory for what the worker remembers over restarts, such as its name, and for data; empty: nothing is kept")
	f.Var(&cache, "cache-size", "how much of the data that it reads over the network the worker keeps in --data-dir")
	f.Var(&memory, "memory-for-data", "how much of its records the worker holds in memory, such as 1GiB; what is more is read from its files, or from a copy in --data-dir (the system's temporary folder without one) where they are compressed or tables (0: no bound; default: half of the memory that there is for this process)")
	f.Var(&roots, "data-root", "folder that the data of jobs may lie in, links followed; several with commas or several times (default: any file that this process may read)")
	f.IntVar(&c.Cores, "cores", runtime.GOMAXPROCS(0), "micro-batches to compute at a time")
	f.Uint64Var(&c.FlipStep, "test-flip-bit", 0, "for tests of corruption: change one bit of the parameters after step `N`, once")
	must(f.MarkHidden("test-flip-bit"))
	f.Var(&c.FailAt, "test-fail-at", "for tests: fail at `STEP:PLACE:kill|panic`; PLACE is the number of a micro-batch, compute, sum, update or evaluation")
	must(f.MarkHidden("test-fail-at"))
	f.DurationVar(&c.StepTime, "test-step-time", 0, "for tests of faults: make every step take at least `DURATION`")
	must(f.MarkHidden("test-step-time"))
	tls.AddFlags(f)
	watched.AddTo(f)
	join.addTo(f)
	f.StringVar(&logFormat, "log-format", "text", "text or json")
	f.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	cmd.AddCommand(healthcheck.Command("127.0.0.1:7080"))
	return cmd
}

// work runs the worker until ctx ends.
func work(ctx context.Context, c trainer.Config, watched *telemetry.Flags) (err error) {
	if err := c.Validate(); err != nil {
		return err
	}
	var closeTraces func() error
	if c.Telemetry, closeTraces, err = watched.Open(ctx, "worker", c.Name, c.Log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeTraces()) }()
	flagenv.LimitHeap()
	return trainer.Run(ctx, c)
}
