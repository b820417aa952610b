package main

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/job"
)

func (a *app) retryCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "retry JOB",
		Short: "Go on with a job that failed or was cancelled, as a new job",
		Long: `Makes a new job that does the same as one that failed or was cancelled, and goes on from one of its checkpoints: it
has the same name and an id of its own, and begins with the checkpoints, the ledger and the figures up to there. Its result
is that of a run that nothing happened to, bit by bit. The old job stays as it is; deleting it does not hurt the new one.`,
		Example: `  lockstep job retry digits-mlp
  lockstep job retry digits-mlp --from best
  lockstep job retry digits-mlp --from start
  lockstep job retry digits-mlp-4fa3c2 --from 200 -o name`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
	}
	cmd.Flags().StringVar(&from, "from", "", "go on from `CHECKPOINT`: last, best, start, a step, or an id; default: the last one, or the beginning where there is none")
	oneOf(cmd, "from", job.Last, job.Best, job.Start)
	return a.change(cmd, func(ctx context.Context, c *client.Client, id string) (*lockstepv1.Job, error) {
		j, err := c.RetryJob(ctx, &lockstepv1.RetryJobRequest{RequestId: rand.Text(), Job: id, From: from})
		if err == nil {
			begin := "from the beginning"
			if j.RetryFrom != "" {
				begin = "from checkpoint " + j.RetryFrom
			}
			a.sayf("job %s goes on %s; to follow it: lockstep job wait %s", j.Id, begin, j.Id)
		}
		return j, err
	})
}

func (a *app) deleteJobCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "delete JOB...",
		Aliases: []string{"rm"},
		Short:   "Forget jobs that have ended, with their checkpoints",
		Long: `Forgets jobs that have ended, with their checkpoints, ledgers and figures; export what is to stay first. With --force a
job that has not ended is cancelled first. Chunks that nothing refers to any more are removed within half an hour.`,
		Example: `  lockstep job delete digits-mlp-4fa3c2
  lockstep job delete digits-mlp --force
  lockstep job list --state failed,cancelled -o name | xargs lockstep job delete`,
		Args:              wants("JOB..."),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.deleteAll(cmd, args, func(ctx context.Context, c *client.Client, name string) (string, error) {
				j, err := findJob(ctx, c, name)
				if err != nil {
					return "", err
				}
				_, err = c.DeleteJob(ctx, &lockstepv1.DeleteJobRequest{Job: j.Id, Force: force})
				return j.Id, answer(err)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "cancel a job that has not ended, then delete it")
	return a.data(a.remote(cmd))
}

// deleteAll deletes one after the other, and prints the ids of those that are no more, also when the next one stays.
func (a *app) deleteAll(cmd *cobra.Command, names []string, one func(context.Context, *client.Client, string) (string, error)) error {
	return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) (err error) {
		var deleted []string
		for _, name := range names {
			var id string
			if id, err = one(ctx, c, name); err != nil {
				break
			}
			deleted = append(deleted, id)
		}
		if len(deleted) == 0 {
			return err
		}
		return errors.Join(a.printDeleted(deleted), err)
	})
}
