package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/job"
)

func (a *app) jobCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "job",
		Short: "Submit jobs and look after them",
		Long:  `Commands for the jobs of a cluster. JOB is a job's id, or its name: then the newest job of that name is meant.`,
		Example: `  lockstep job submit job.yaml
  lockstep job status my-job -o json`,
	}
	cmd.AddCommand(a.submitCommand(), a.listCommand(), a.statusCommand(), a.describeCommand(), a.eventsCommand(),
		a.metricsCommand(), a.waitCommand(), a.cancelCommand(), a.pauseCommand(), a.resumeCommand(), a.scaleCommand(), a.validateCommand(),
		a.verifyCommand(), a.initCommand(), a.planCommand())
	cmd.AddCommand(a.retryCommand(), a.deleteJobCommand(), a.logsCommand())
	return group(cmd)
}

func (a *app) listCommand() *cobra.Command {
	var only jobFilter
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the jobs of the cluster, oldest first",
		Example: `  lockstep job list
  lockstep job list -o wide
  lockstep job list --state running,pending --label team=vision
  lockstep job list -o json`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := only.validate(cmd); err != nil {
				return err
			}
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				r, err := c.ListJobs(ctx, &lockstepv1.ListJobsRequest{})
				if err != nil {
					return answer(err)
				}
				return a.printJobs(slices.DeleteFunc(r.Jobs, func(j *lockstepv1.Job) bool { return !only.fits(j) }))
			})
		},
	}
	only.register(cmd)
	return a.data(a.remote(cmd))
}

func (a *app) printJobs(jobs []*lockstepv1.Job) error {
	p := printed{}
	views := []job.View{}
	g := console.Grid{Columns: []console.Column{
		{Name: "ID"}, {Name: "NAME"}, {Name: "STATE", Style: a.outTerm.State}, {Name: "EPOCH"}, {Name: "STEP"}, {Name: "WORKERS"},
		{Name: "AGE"}, {Name: "GENERATION", Wide: true}, {Name: "SAMPLES/S", Wide: true}, {Name: "CHECKPOINT", Wide: true},
		{Name: "DIGEST", Wide: true}, {Name: "REASON", Wide: true},
	}}
	for _, j := range jobs {
		d := job.DetailOf(j)
		views = append(views, d.View)
		p.names = append(p.names, d.ID)
		g.Add(d.ID, d.Name, d.State, progress(uint64(d.Epoch), uint64(d.TotalEpochs)), progress(d.Step, d.TotalSteps),
			fmt.Sprint(d.Workers), ago(d.Submitted), fmt.Sprint(d.Generation), fmt.Sprintf("%.1f", d.SamplesPerSecond),
			d.Checkpoint, d.ModelDigest, d.Reason)
	}
	p.value = views
	p.table = func(w io.Writer, wide bool) error {
		if len(jobs) == 0 {
			a.sayf("There are no jobs yet. Submit one with \"lockstep job submit FILE\".")
			return nil
		}
		return g.Write(w, wide)
	}
	return a.print(p)
}

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status JOB",
		Short: "Show how a job is",
		Example: `  lockstep job status digits-mlp
  lockstep job status digits-mlp -o json | jq -r .model_digest`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				j, err := findJob(ctx, c, args[0])
				if err != nil {
					return err
				}
				return a.printJob(job.DetailOf(j), "")
			})
		},
	}
	return a.data(a.remote(cmd))
}

func (a *app) cancelCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "cancel JOB",
		Short: "End a job before it is done; its checkpoints stay",
		Example: `  lockstep job cancel digits-mlp
  lockstep job cancel digits-mlp --reason "wrong learning rate"`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				j, err := findJob(ctx, c, args[0])
				if err != nil {
					return err
				}
				if j, err = c.CancelJob(ctx, &lockstepv1.CancelJobRequest{Job: j.Id, Reason: reason}); err != nil {
					return answer(err)
				}
				return a.printJob(job.DetailOf(j), "")
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "cancelled by user", "`TEXT` that says why")
	return a.data(a.remote(cmd))
}

// findJob gets a job by id or name. If there is none it proposes one whose name is near.
func findJob(ctx context.Context, c *client.Client, name string) (*lockstepv1.Job, error) {
	j, err := c.GetJob(ctx, &lockstepv1.GetJobRequest{Job: name})
	if status.Code(err) != codes.NotFound {
		return j, answer(err)
	}
	hint := ""
	if all, err := c.ListJobs(ctx, &lockstepv1.ListJobsRequest{}); err == nil {
		var names []string
		for _, j := range all.Jobs {
			names = append(names, j.Name, j.Id)
		}
		hint = didYouMean(name, names, "")
	}
	return nil, exitErrorf(codeNotFound, "there is no job %q%s", name, hint)
}
