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

func (a *app) clusterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cluster",
		Short:   "Look after the cluster",
		Long:    `Commands for the cluster as a whole.`,
		Example: `  lockstep cluster status`,
	}
	show := &cobra.Command{
		Use:   "status",
		Short: "Show the coordinators, and how many workers and jobs there are",
		Example: `  lockstep cluster status
  lockstep cluster status -o json | jq -r .leader`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				s, err := c.GetStatus(ctx, &lockstepv1.GetStatusRequest{})
				if err != nil {
					return answer(err)
				}
				return a.printCluster(job.ClusterViewOf(s))
			})
		},
	}
	cmd.AddCommand(a.data(a.remote(show)), a.membersCommand(), a.transferCommand(), a.snapshotCommand())
	return group(cmd)
}

// printMembers prints the coordinators alone.
func (a *app) printMembers(v job.ClusterView) error {
	p, g := a.membersOf(v)
	p.value = v.Coordinators
	p.table = g.Write
	return a.print(p)
}

func (a *app) membersOf(v job.ClusterView) (printed, console.Grid) {
	var p printed
	g := console.Grid{Columns: []console.Column{
		{Name: "COORDINATOR"}, {Name: "ROLE", Style: a.outTerm.State}, {Name: "REACHABLE"}, {Name: "ADDRESS"}, {Name: "APPLIED"},
		{Name: "HTTP", Wide: true}, {Name: "NATS", Wide: true},
	}}
	for _, c := range v.Coordinators {
		p.names = append(p.names, c.ID)
		g.Add(c.ID, c.Role, yesNo(c.Reachable), c.Address, fmt.Sprint(c.AppliedIndex), c.HTTPAddress, c.NATSURL)
	}
	return p, g
}

func (a *app) printCluster(v job.ClusterView) error {
	p, g := a.membersOf(v)
	p.value = v
	p.table = func(w io.Writer, wide bool) error {
		var f console.Facts
		leader := v.Leader
		if leader == "" {
			leader = a.outTerm.Bad("none is known")
		}
		f.Add("leader", leader)
		f.Add("term", fmt.Sprint(v.Term))
		f.Add("commit index", fmt.Sprint(v.CommitIndex))
		f.Add("workers", fmt.Sprint(v.Workers))
		f.Add("jobs", fmt.Sprintf("%d running, %d pending", v.JobsRunning, v.JobsPending))
		f.Add("answered by", v.AnsweredBy)
		if err := f.Write(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
		return g.Write(w, wide)
	}
	return a.print(p)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
