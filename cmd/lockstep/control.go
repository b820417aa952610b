package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/job"
)

func (a *app) pauseCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "pause JOB",
		Short: "Stop a job between two steps; resume goes on from there",
		Long: `Stops a job at the end of a step, with its state in a checkpoint, and gives its workers to others. No step is lost:
the result is that of a job that was never paused.`,
		Example: `  lockstep job pause digits-mlp
  lockstep job resume digits-mlp`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
	}
	cmd.Flags().StringVar(&reason, "reason", "paused by user", "`TEXT` that says why")
	return a.change(cmd, func(ctx context.Context, c *client.Client, id string) (*lockstepv1.Job, error) {
		return c.PauseJob(ctx, &lockstepv1.PauseJobRequest{Job: id, Reason: reason})
	})
}

func (a *app) resumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "resume JOB",
		Short:             "Let a paused job go on",
		Example:           `  lockstep job resume digits-mlp`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
	}
	return a.change(cmd, func(ctx context.Context, c *client.Client, id string) (*lockstepv1.Job, error) {
		return c.ResumeJob(ctx, &lockstepv1.ResumeJobRequest{Job: id})
	})
}

func (a *app) scaleCommand() *cobra.Command {
	var workers string
	cmd := &cobra.Command{
		Use:   "scale JOB --workers MIN[:MAX]",
		Short: "Change how many workers a job may have; the result does not depend on it",
		Long: `Changes the bounds on the number of workers that a job trains with, while it trains: it grows and shrinks between
them with what is free and with what other jobs want. One number is both bounds.`,
		Example: `  lockstep job scale digits-mlp --workers 4
  lockstep job scale digits-mlp --workers 1:8`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
	}
	cmd.Flags().StringVar(&workers, "workers", "", "`MIN[:MAX]` number of workers")
	must(cmd.MarkFlagRequired("workers"))
	return a.change(cmd, func(ctx context.Context, c *client.Client, id string) (*lockstepv1.Job, error) {
		least, most, ok := bounds(workers)
		if !ok {
			return nil, usageErrorf(cmd, "--workers %s: want MIN or MIN:MAX, such as 4 or 1:8", workers)
		}
		return c.ScaleJob(ctx, &lockstepv1.ScaleJobRequest{Job: id, WorkersMin: least, WorkersMax: most})
	})
}

// bounds reads "MIN" or "MIN:MAX".
func bounds(text string) (least, most uint32, ok bool) {
	a, b, two := strings.Cut(text, ":")
	if !two {
		b = a
	}
	lo, errLo := strconv.ParseUint(a, 10, 31)
	hi, errHi := strconv.ParseUint(b, 10, 31)
	return uint32(lo), uint32(hi), errLo == nil && errHi == nil && 0 < lo && lo <= hi
}

// change makes a command one that changes a job and shows it as it is then.
func (a *app) change(cmd *cobra.Command, do func(ctx context.Context, c *client.Client, id string) (*lockstepv1.Job, error)) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			j, err := findJob(ctx, c, args[0])
			if err != nil {
				return err
			}
			if j, err = do(ctx, c, j.Id); err != nil {
				return answer(err)
			}
			return a.printJob(job.DetailOf(j), "")
		})
	}
	return a.data(a.remote(cmd))
}
