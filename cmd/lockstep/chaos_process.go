package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"lockstep/internal/coord"
	"lockstep/internal/trainer"
)

// chaosProcessCommands are what chaos starts: this program as a coordinator and as a worker. They are not for users, who have
// programs of their own for these.
func (a *app) chaosProcessCommands() []*cobra.Command {
	var bootstrap string
	log := slog.New(slog.NewTextHandler(a.err, nil))
	c := coord.Config{Log: log}
	coordinator := &cobra.Command{Use: "coordinator", Hidden: true, Args: wants(),
		Short: "Be a coordinator of chaos", Example: "  lockstep chaos coordinator --node-id a --data-dir /tmp/a --bootstrap a=127.0.0.1:7071",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Bootstrap, err = coord.ParseServers(bootstrap); err != nil {
				return err
			}
			n, err := coord.Open(c)
			if err != nil {
				return err
			}
			return n.Run(cmd.Context())
		}}
	f := coordinator.Flags()
	f.StringVar(&c.ID, "node-id", "", "name of this coordinator")
	f.StringVar(&c.DataDir, "data-dir", "", "directory of its data")
	f.StringVar(&c.Listen, "listen", "", "gRPC address to listen on")
	f.StringVar(&c.RaftListen, "raft-listen", "", "raft address to listen on")
	f.StringVar(&bootstrap, "bootstrap", "", "all coordinators as id=host:port of their raft address")
	w := trainer.Config{Log: log, Cores: 1}
	worker := &cobra.Command{Use: "worker", Hidden: true, Args: wants(),
		Short: "Be a worker of chaos", Example: "  lockstep chaos worker --coordinators 127.0.0.1:7070 --listen 127.0.0.1:7080", RunE: func(cmd *cobra.Command, _ []string) error {
			return trainer.Run(cmd.Context(), w)
		}}
	f = worker.Flags()
	f.StringSliceVar(&w.Coordinators, "coordinators", nil, "gRPC addresses of the coordinators")
	f.StringVar(&w.Listen, "listen", "", "gRPC address to listen on")
	f.StringVar(&w.Name, "name", "", "name of this worker")
	return []*cobra.Command{coordinator, worker}
}
