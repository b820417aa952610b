package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/job"
)

func (a *app) workerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "worker",
		Short:   "Look after the workers",
		Long:    `Commands for the workers of a cluster. To start one, use the worker program.`,
		Example: `  lockstep worker list`,
	}
	list := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the workers and what they work for",
		Long: `Lists the workers. SPEED is what a worker has measured of itself: micro-batches a second of pure computation. Segments
follow from it; a worker that is so slow that the others are as fast without it is left out for a while.
`,
		Example: `  lockstep worker list
  lockstep worker list -o json | jq '[.[] | select(.job == "")] | length'     # idle ones`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				r, err := c.ListWorkers(ctx, &lockstepv1.ListWorkersRequest{})
				if err != nil {
					return answer(err)
				}
				return a.printWorkers(r.Workers)
			})
		},
	}
	cmd.AddCommand(a.data(a.remote(list)), a.drainCommand(), a.undrainCommand())
	return group(cmd)
}

// speed writes a measured speed; "" if there is none yet.
func speed(microBatches float64) string {
	if microBatches == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g/s", microBatches)
}

func (a *app) printWorkers(workers []*lockstepv1.WorkerStatus) error {
	p := printed{}
	views := []job.WorkerView{}
	g := console.Grid{Columns: []console.Column{
		{Name: "ID"}, {Name: "ADDRESS"}, {Name: "CORES"}, {Name: "JOB"}, {Name: "SEGMENTS"}, {Name: "SPEED"}, {Name: "STATE", Style: a.outTerm.State}, {Name: "AGE"}, {Name: "JOINED", Wide: true},
	}}
	for _, w := range workers {
		v := job.WorkerViewOf(w)
		views = append(views, v)
		p.names = append(p.names, v.ID)
		segments := ""
		if v.Job != "" {
			segments = fmt.Sprint(v.Segments)
		}
		g.Add(v.ID, v.Address, fmt.Sprint(v.Cores), v.Job, segments, speed(v.Speed), v.State, ago(v.Joined), v.Joined.Local().Format("2006-01-02T15:04:05"))
	}
	p.value = views
	p.table = func(w io.Writer, wide bool) error {
		if len(workers) == 0 {
			a.sayf("There are no workers. Start one with \"worker --coordinators ADDRESS\".")
			return nil
		}
		return g.Write(w, wide)
	}
	return a.print(p)
}
