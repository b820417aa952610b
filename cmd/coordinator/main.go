// Command coordinator is one raft replica of a Lockstep cluster's control plane.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"lockstep/internal/certs"
	"lockstep/internal/coord"
	"lockstep/internal/event"
	"lockstep/internal/flagenv"
	"lockstep/internal/healthcheck"
	"lockstep/internal/source"
	"lockstep/internal/telemetry"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "coordinator:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	coord.Config
	roots                                      flagenv.Folders
	caKey                                      string
	tls                                        certs.Files
	bootstrap, natsListen, logFormat, logLevel string
	telemetry                                  telemetry.Flags
}

func run(ctx context.Context, args []string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := command()
	cmd.SetArgs(args)
	return cmd.ExecuteContext(ctx)
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "coordinator",
		Short: "One replica of a Lockstep cluster's control plane",
		Long: `coordinator keeps the cluster's state with raft, assigns shards to workers, stores checkpoints and publishes events.
Start three with the same --bootstrap list. Every flag is an environment variable too: --node-id is LOCKSTEP_NODE_ID.
On SIGTERM it hands leadership over and ends.`,
		Example: `  coordinator --node-id a --data-dir /var/lib/lockstep --listen :7070 --advertise a.example:7070 \
    --raft-listen :7071 --raft-advertise a.example:7071 --http :8080 \
    --bootstrap a=a.example:7071,b=b.example:7071,c=c.example:7071 --nats-url nats://nats.example:4222`,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return flagenv.Apply(c.Flags()) },
		RunE:              func(c *cobra.Command, _ []string) error { return serve(c.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.ID, "node-id", "", "name of this coordinator, one of --bootstrap's")
	f.StringVar(&o.DataDir, "data-dir", "", "directory for the log, snapshots and checkpoints")
	f.StringVar(&o.Listen, "listen", "0.0.0.0:7070", "gRPC address to listen on")
	f.StringVar(&o.Advertise, "advertise", "", "gRPC address under which others reach this coordinator (default: --listen)")
	f.StringVar(&o.RaftListen, "raft-listen", "0.0.0.0:7071", "raft address to listen on")
	f.StringVar(&o.RaftAdvertise, "raft-advertise", "", "raft address under which others reach it (default: --raft-listen)")
	f.StringVar(&o.HTTP, "http", "0.0.0.0:8080", "HTTP address to listen on, where with certificates gRPC is served, too; empty: none")
	f.StringVar(&o.bootstrap, "bootstrap", "", "all coordinators as id=host:port of their raft address, separated by commas (default: this one alone)")
	f.StringVar(&o.NATSURL, "nats-url", "", "NATS server for events; empty: one is embedded")
	f.StringVar(&o.natsListen, "nats-listen", "127.0.0.1:0", "address of the embedded NATS server; port 0 takes a free one")
	f.DurationVar(&o.Lease, "lease", 3*time.Second, "a worker that is silent for longer is lost; the coordinators' own timeouts are a third of it")
	o.tls.AddFlags(f)
	f.StringVar(&o.caKey, "tls-ca-key", "", "`FILE` of the key to --tls-ca: workers that show a join token get a certificate from this coordinator")
	f.Var(&o.roots, "data-root", "folder of the workers that the data of jobs may lie in: a job that names another path is refused when it is submitted; several with commas or several times (default: any)")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	o.telemetry.AddTo(f)
	cmd.AddCommand(healthcheck.Command("127.0.0.1:7070"))
	return cmd
}

// serve runs the coordinator, with a NATS server of its own if none is given, until ctx ends.
func serve(ctx context.Context, o *options) (err error) {
	if o.Log, err = flagenv.Logger(o.logFormat, o.logLevel); err != nil {
		return err
	}
	o.DataRoots = source.Roots(o.roots)
	if o.TLS, err = o.tls.Source(certs.Named); err != nil {
		return err
	}
	if o.caKey != "" {
		if o.CA, err = certs.LoadCA(o.tls.CA, o.caKey); err != nil {
			return err
		}
	}
	if o.bootstrap != "" {
		if o.Bootstrap, err = coord.ParseServers(o.bootstrap); err != nil {
			return err
		}
	}
	if err := o.Validate(); err != nil {
		return err
	}
	var closeTraces func() error
	if o.Telemetry, closeTraces, err = o.telemetry.Open(ctx, "coordinator", o.ID, o.Log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeTraces()) }()
	if o.NATSURL == "" {
		s, err := event.StartServer(o.EmbeddedNATS(o.natsListen))
		if err != nil {
			return fmt.Errorf("embed NATS: %w", err)
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		o.NATSURL = s.ClientURL()
	}
	n, err := coord.Open(o.Config)
	if err != nil {
		return err
	}
	o.Log.Info("coordinator is up", "grpc", o.Advertise, "raft", o.RaftAdvertise, "http", o.HTTP, "nats", o.NATSURL)
	return n.Run(ctx)
}
