package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/internal/console"
	"lockstep/internal/embed"
)

type upOptions struct {
	embeddedFlags
	listen, http string
}

func (a *app) upCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a cluster in this process and keep it until Ctrl-C",
		Long: `Starts a whole cluster in this process: coordinators, a NATS server and workers, all on this machine, and keeps it until
Ctrl-C. Its data stays: started again, it goes on where it was. More workers may join with
"worker --coordinators ADDRESS".
`,
		Example: `  lockstep up
  lockstep up --workers 8 --data-dir /var/lib/lockstep
  lockstep up --listen 0.0.0.0:7070 --http 0.0.0.0:8080`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.up(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", defaultAddress, "gRPC `ADDRESS` of the first coordinator; port 0 takes a free one")
	f.StringVar(&o.http, "http", "127.0.0.1:8080", "HTTP `ADDRESS` of the first coordinator; port 0 takes a free one")
	return a.data(embedded(cmd, &o.embeddedFlags, "keep the cluster's data in `DIR`; default: lockstep/up in $XDG_STATE_HOME or ~/.local/state"))
}

// up keeps a cluster until the context ends.
func (a *app) up(cmd *cobra.Command, o upOptions) error {
	if err := o.validate(cmd); err != nil {
		return err
	}
	dir := o.dataDir
	if dir == "" {
		var err error
		if dir, err = stateDir(); err != nil {
			return err
		}
	}
	dir, err := makeDataDir(dir)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	cluster, closeCluster, err := a.startCluster(ctx, dir, o.embeddedFlags, o.listen, o.http)
	if err != nil {
		return err
	}
	if err := a.printUp(cluster, dir, o); err != nil {
		return err
	}
	<-ctx.Done()
	a.sayf("stopping")
	return closeCluster()
}

// stateDir is where a user's programs keep what they want to find again (XDG Base Directory Specification).
func stateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "lockstep", "up"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find data directory, which --data-dir may name: %w", err)
	}
	return filepath.Join(home, ".local", "state", "lockstep", "up"), nil
}

// reachable is where a cluster can be reached.
type reachable struct {
	Addresses []string `json:"addresses"` // gRPC
	HTTP      string   `json:"http"`
	NATS      string   `json:"nats"`
	Workers   int      `json:"workers"`
	DataDir   string   `json:"data_dir"`
}

func (a *app) printUp(c *embed.Cluster, dir string, o upOptions) error {
	r := reachable{Addresses: c.Addresses(), HTTP: c.HTTP(), NATS: c.NATSURL(), Workers: o.workers, DataDir: dir}
	addr := ""
	if r.Addresses[0] != defaultAddress {
		addr = " --addr " + r.Addresses[0]
	}
	err := a.print(printed{value: r, names: r.Addresses, table: func(w io.Writer, _ bool) error {
		var f console.Facts
		f.Add("gRPC", strings.Join(r.Addresses, ", "))
		f.Add("HTTP", "http://"+r.HTTP)
		f.Add("NATS", r.NATS)
		f.Add("workers", fmt.Sprint(r.Workers))
		f.Add("data", r.DataDir)
		return f.Write(w)
	}})
	a.sayf("The cluster is up; Ctrl-C stops it. In another terminal:\n  lockstep job submit examples/digits-mlp.yaml%s\n  lockstep cluster status%s", addr, addr)
	return err
}
