package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/job"
)

func (a *app) metricsCommand() *cobra.Command {
	var boardDir string
	cmd := &cobra.Command{
		Use:   "metrics JOB",
		Short: "Print the figures of a job over its steps",
		Long: `Prints what a job has measured, a line for each report. A long job's reports are thinned out; evaluations stay longest.
The page of a coordinator draws them as curves.`,
		Example: `  lockstep job metrics digits-mlp
  lockstep job metrics digits-mlp -o json | jq -r '.[] | [.step, .metrics.train_loss] | @csv'
  lockstep job metrics digits-mlp --tensorboard runs`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				s, err := c.GetSeries(ctx, &lockstepv1.GetJobRequest{Job: args[0]})
				if err != nil {
					return answer(err)
				}
				if boardDir != "" {
					return a.writeBoard(ctx, c, s, boardDir)
				}
				return a.printSeries(job.SeriesViewOf(s))
			})
		},
	}
	cmd.Flags().StringVar(&boardDir, "tensorboard", "", "write the figures as TensorBoard's event files to `DIR`/JOB instead")
	return a.data(a.remote(cmd))
}

// writeBoard writes the figures that there are for TensorBoard.
func (a *app) writeBoard(ctx context.Context, c *client.Client, s *lockstepv1.Series, dir string) error {
	b, err := openBoard(c, s.Job, dir)
	if err != nil {
		return err
	}
	if err := b.close(ctx); err != nil {
		return err
	}
	a.sayf("figures of job %s up to step %d are in %s", s.Job, b.step, dir)
	return nil
}

func (a *app) printSeries(points []job.PointView) error {
	p := printed{value: points}
	names := map[string]bool{}
	for _, x := range points {
		p.names = append(p.names, fmt.Sprint(x.Step))
		for name := range x.Metrics {
			names[name] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	g := console.Grid{Columns: []console.Column{{Name: "STEP"}, {Name: "EPOCH"}, {Name: "TIME"}, {Name: "SAMPLES/S"}}}
	for _, name := range sorted {
		g.Columns = append(g.Columns, console.Column{Name: name})
	}
	for _, x := range points {
		row := []string{fmt.Sprint(x.Step), fmt.Sprint(x.Epoch), time.UnixMilli(x.TimeMs).Local().Format(time.TimeOnly), ""}
		if x.SamplesPerSecond > 0 {
			row[3] = fmt.Sprintf("%.1f", x.SamplesPerSecond)
		}
		for _, name := range sorted {
			text := ""
			if v, ok := x.Metrics[name]; ok {
				text = fmt.Sprintf("%.4g", v)
			}
			row = append(row, text)
		}
		g.Add(row...)
	}
	p.table = func(w io.Writer, wide bool) error {
		if len(points) == 0 {
			a.sayf("The job has reported nothing yet.")
			return nil
		}
		return g.Write(w, wide)
	}
	return a.print(p)
}
