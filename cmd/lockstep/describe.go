package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/job"
)

func (a *app) describeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe JOB",
		Short: "Show all that is known of a job",
		Long:  `Shows all that is known of a job: its figures, who trains it and which part each has, its checkpoints and its specification.`,
		Example: `  lockstep job describe digits-mlp
  lockstep job describe digits-mlp -o json | jq '.members'`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				j, err := findJob(ctx, c, args[0])
				if err != nil {
					return err
				}
				d := job.DetailOf(j)
				return a.print(printed{value: d, names: []string{d.ID}, table: func(w io.Writer, _ bool) error { return a.describe(w, d) }})
			})
		},
	}
	return a.data(a.remote(cmd))
}

// describe writes a job for people to read.
func (a *app) describe(w io.Writer, d job.Detail) error {
	f := a.jobFacts(d, "", true)
	f.Add("workers wanted", fmt.Sprintf("%d to %d", d.WorkersMin, d.WorkersMax))
	f.Add("micro-batches", fmt.Sprint(d.Segments))
	f.Add("ledger", ledgerHead(d))
	f.Add("priority", fmt.Sprint(d.Priority))
	if d.QueuePlace > 0 {
		f.Add("place in the queue", fmt.Sprint(d.QueuePlace))
	}
	if d.Paused {
		f.Add("paused", "by a user, until it is resumed")
	}
	f.Add("labels", labels(d.Labels))
	if err := f.Write(w); err != nil {
		return err
	}
	if len(d.Members) > 0 {
		fmt.Fprintf(w, "\nGeneration %d, %s: %s\n", d.Generation, d.Phase, orNone(d.Cause))
		if err := a.members(d).Write(w, true); err != nil {
			return err
		}
	}
	if len(d.History) > 0 {
		fmt.Fprint(w, "\nGenerations, oldest first\n")
		if err := history(d).Write(w, true); err != nil {
			return err
		}
	}
	if len(d.Checkpoints) > 0 {
		fmt.Fprint(w, "\nCheckpoints, oldest first\n")
		if err := checkpoints(d).Write(w, true); err != nil {
			return err
		}
	}
	if len(d.SetAside) > 0 {
		fmt.Fprint(w, "\nSet aside, since nobody can read them\n")
		for _, c := range d.SetAside {
			fmt.Fprintf(w, "%s: %s\n", c.ID, c.Reason)
		}
	}
	fmt.Fprint(w, "\nSpecification\n")
	return console.WriteYAML(w, d.Spec)
}

func (a *app) members(d job.Detail) *console.Grid {
	g := &console.Grid{Columns: []console.Column{{Name: "WORKER"}, {Name: "ADDRESS"}, {Name: "SEGMENTS"}, {Name: "SHARE"}, {Name: "SPEED"}}}
	for _, m := range d.Members {
		n := m.SegmentTo - m.SegmentFrom
		segments := ""
		if n > 0 {
			segments = fmt.Sprintf("%d-%d", m.SegmentFrom, m.SegmentTo-1)
		}
		g.Add(m.Worker, m.Address, segments, fmt.Sprintf("%d/%d", n, d.Segments), speed(m.Speed))
	}
	return g
}

func history(d job.Detail) *console.Grid {
	g := &console.Grid{Columns: []console.Column{{Name: "GENERATION"}, {Name: "WORKERS"}, {Name: "AGE"}, {Name: "CAUSE"}}}
	for _, r := range d.History {
		cause := r.Cause
		if r.Parks {
			cause += " (its state is stored)"
		}
		g.Add(fmt.Sprint(r.Number), fmt.Sprint(r.Workers), ago(r.Formed), cause)
	}
	return g
}

func checkpoints(d job.Detail) *console.Grid {
	g := &console.Grid{Columns: []console.Column{{Name: "ID"}, {Name: "STEP"}, {Name: "EPOCH"}, {Name: "SIZE"}, {Name: "AGE"}}}
	for _, c := range d.Checkpoints {
		g.Add(c.ID, fmt.Sprint(c.Step), fmt.Sprint(c.Epoch), size(c.Size), ago(c.Created))
	}
	return g
}

// ledgerHead is how far the step ledger is, and the hash that stands for all of it.
func ledgerHead(d job.Detail) string {
	if d.LedgerStep == 0 {
		return ""
	}
	return fmt.Sprintf("step %d, %s", d.LedgerStep, d.LedgerHead)
}

func labels(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "no cause is recorded"
	}
	return s
}

// stamp writes a point in time with how long it is past; "" for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime) + " (" + ago(t) + " ago)"
}
