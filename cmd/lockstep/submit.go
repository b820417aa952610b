package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/job"
)

type submitOptions struct {
	spec        specFlags
	detach      bool
	dryRun      bool
	noFileCheck bool
	board       string
	waitPlaced  time.Duration
}

func (a *app) submitCommand() *cobra.Command {
	var o submitOptions
	cmd := &cobra.Command{
		Use:   "submit FILE|-",
		Short: "Give a job to the cluster and follow it",
		Long: `Gives the job that FILE specifies to the cluster and follows it until it has ended, with an exit code that tells how.
The model is written in the formats of the specification's export.formats, to files in the working directory.
Ctrl-C only stops following: the job goes on. FILE "-" is standard input; paths in it start at the working directory.
Workers read the dataset themselves, under the path or URL that the specification names.

With --dry-run nothing is submitted: the specification is printed as it would be, with every default filled in, and the
cluster says on which workers the job would be placed, or for what it would wait. The exit code is 6 if it has too few.`,
		Example: `  lockstep job submit examples/digits-mlp.yaml
  lockstep job submit job.yaml --set training.epochs=3 --set optimizer.learning_rate=0.01 --name try-3
  id=$(lockstep job submit job.yaml -d); lockstep job wait "$id"
  lockstep job submit job.yaml --wait-placed 30s || lockstep job cancel my-job
  lockstep job submit job.yaml --dry-run          # what would happen; nothing does`,
		Args: wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.loadSpec(cmd, args[0], o.spec)
			if err != nil {
				return err
			}
			if !o.noFileCheck {
				if err := s.checkFiles(); err != nil {
					return err
				}
			}
			if o.dryRun {
				return a.dryRun(cmd.Context(), s)
			}
			return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				return a.submitAndFollow(ctx, c, s, o)
			})
		},
	}
	f := cmd.Flags()
	o.spec.register(f)
	boardFlag(f, &o.board)
	f.BoolVarP(&o.detach, "detach", "d", false, "print the job's id and do not follow it")
	f.DurationVar(&o.waitPlaced, "wait-placed", 0, "wait until workers have taken the job up, and end with exit code 6 if that takes longer than `TIME`; the job stays in the queue")
	f.BoolVar(&o.dryRun, "dry-run", false, "submit nothing: print the specification, with every default filled in, and say where the job would be placed")
	f.BoolVar(&o.noFileCheck, "no-file-check", false, "do not require the dataset's files on this machine: the workers have them")
	return a.data(a.remote(cmd))
}

func (a *app) submitAndFollow(ctx context.Context, c *client.Client, s *specText, o submitOptions) error {
	j, err := submit(ctx, c, s)
	if err != nil {
		return err
	}
	if o.waitPlaced > 0 {
		if err := a.waitPlaced(ctx, c, j.Id, o.waitPlaced); err != nil {
			return err
		}
	}
	if o.detach && (a.format == console.Table || a.format == console.Wide) {
		_, err := fmt.Fprintln(a.out, j.Id)
		return err
	}
	if o.detach {
		return a.printJob(job.DetailOf(j), "")
	}
	a.sayf("submitted job %s", j.Id)
	return a.follow(ctx, c, j.Id, o.board, s.job.Spec.Export.Formats)
}

// submit gives a job to the cluster. The request has an id, so that trying again after a lost coordinator does not
// create it twice.
func submit(ctx context.Context, c *client.Client, s *specText) (*lockstepv1.Job, error) {
	limit := callTimeout
	if s.job.Spec.InitFrom != nil {
		limit = initialTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	initial, err := s.bring(ctx, c)
	if err != nil {
		return nil, err
	}
	j, err := c.SubmitJob(ctx, &lockstepv1.SubmitJobRequest{RequestId: rand.Text(), Spec: s.job.Canonical(), Initial: initial})
	return j, answer(err)
}

// follow shows a job until it has ended, writes its model in these formats, and prints how. Its error is the job's outcome.
func (a *app) follow(ctx context.Context, c *client.Client, id, board string, formats []string) error {
	j, err := a.attach(ctx, c, id, board)
	if interrupted(ctx) {
		a.sayf("the job goes on; to follow it again: lockstep job wait %s", id)
		return errInterrupted
	}
	if err != nil {
		return err
	}
	return a.conclude(ctx, c, j, formats, "")
}
