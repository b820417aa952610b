package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/job"
)

type runOptions struct {
	embeddedFlags
	spec   specFlags
	output string
	board  string
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Train a job on a cluster of its own, in this process",
		Long: `Starts a whole cluster in this process, trains the job that FILE specifies, writes the model to NAME.safetensors in the
working directory (in the formats of the specification's export.formats, if it has any), and ends. The result depends on the specification, the data and the seed alone: any number of
workers gives the same model, bit by bit.

The cluster lives in a temporary directory, and Ctrl-C cancels the job. With --data-dir it lives there and stays: a job
that was interrupted, in whatever way, goes on when the same command is typed again. A second Ctrl-C ends at once.
`,
		Example: `  lockstep run examples/digits-mlp.yaml
  lockstep run examples/digits-mlp.yaml --workers 8 --set training.epochs=3 --output digits.safetensors
  lockstep run job.yaml --data-dir ~/training     # may be interrupted and typed again
  lockstep run job.yaml -o json | jq -r .model_digest`,
		Args: wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd, args[0], o) },
	}
	o.spec.register(cmd.Flags())
	cmd.Flags().StringVar(&o.output, "output", "", "write the model to `FILE`, in the first format; default: NAME.safetensors in the working directory")
	boardFlag(cmd.Flags(), &o.board)
	return a.data(embedded(cmd, &o.embeddedFlags, "keep the cluster's data in `DIR`, to go on with later; default: a temporary directory"))
}

// run trains a job on an embedded cluster.
func (a *app) run(cmd *cobra.Command, file string, o runOptions) (err error) {
	if err := o.validate(cmd); err != nil {
		return err
	}
	if o.output == "-" {
		return usageErrorf(cmd, "--output -: standard output is for the result; write the model to a file")
	}
	s, err := a.loadSpec(cmd, file, o.spec)
	if err != nil {
		return err
	}
	if err := s.checkFiles(); err != nil {
		return err
	}
	if least := s.job.Spec.Parallelism.Workers.Min; least > o.workers {
		return exitErrorf(codeUnplaceable, "the job wants at least %d workers, and there will be %d: give --workers %d, or --set parallelism.workers.min=%d", least, o.workers, least, o.workers)
	}
	formats := s.job.Spec.Export.Formats
	if len(formats) == 0 {
		formats = []string{safetensors}
	}
	if o.output == "" {
		o.output = s.job.Metadata.Name + modelFormats[formats[0]]
	}
	if err := writable(o.output); err != nil {
		return err
	}
	dir, err := a.runDir(o.dataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.scratch.remove()) }()
	ctx := cmd.Context()
	cluster, closeCluster, err := a.startCluster(ctx, dir, o.embeddedFlags, "", "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeCluster()) }()
	c, err := client.Dial(cluster.Addresses())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return a.train(ctx, c, s, o, formats)
}

// runDir is the data directory: the given one, or a temporary one.
func (a *app) runDir(given string) (string, error) {
	if given != "" {
		return makeDataDir(given)
	}
	return a.scratch.make()
}

// writable finds out before hours of training whether a file could be written after them.
func writable(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// train gives the job to the cluster, or finds it there, and sees it through to its result.
func (a *app) train(ctx context.Context, c *client.Client, s *specText, o runOptions, formats []string) error {
	j, err := a.takeUp(ctx, c, s, o.dataDir != "")
	if err != nil {
		return err
	}
	id := j.Id
	if j, err = a.attach(ctx, c, id, o.board); err != nil {
		if interrupted(ctx) {
			return a.leave(c, id, o.dataDir)
		}
		return err
	}
	return a.conclude(ctx, c, j, formats, o.output)
}

// conclude writes the model of a job that SUCCEEDED, in these formats, and prints the result. Its error is the job's outcome.
func (a *app) conclude(ctx context.Context, c *client.Client, j *lockstepv1.Job, formats []string, output string) error {
	var files []string
	var failed error
	if j.State == lockstepv1.JobState_JOB_STATE_SUCCEEDED && len(formats) > 0 {
		files, failed = a.exportAll(ctx, c, j, formats, output)
	}
	if err := a.printJob(job.DetailOf(j), strings.Join(files, ", ")); err != nil {
		return err
	}
	return errors.Join(failed, outcome(j))
}

// takeUp returns the job to follow: where the cluster is not new, one that was interrupted and whose result is the same.
func (a *app) takeUp(ctx context.Context, c *client.Client, s *specText, old bool) (*lockstepv1.Job, error) {
	if old {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		r, err := c.ListJobs(call, &lockstepv1.ListJobsRequest{})
		if err != nil {
			return nil, answer(err)
		}
		if err := s.pinFile(); err != nil {
			return nil, err
		}
		for _, j := range r.Jobs {
			switch {
			case job.Ended(j.State):
			case gives(j, s.job):
				a.sayf("going on with job %s at step %d", j.Id, j.Progress.GetStep())
				return j, nil
			default:
				a.sayf("the data directory also holds job %s, which is not done: it is trained, too", j.Id)
			}
		}
	}
	return submit(ctx, c, s)
}

const cancelTimeout = 5 * time.Second

// leave ends an interrupted run. A job in a directory that stays can go on later; any other is cancelled.
func (a *app) leave(c *client.Client, id, dataDir string) error {
	if dataDir != "" {
		a.sayf("interrupted; the same command goes on with job %s", id)
		return errInterrupted
	}
	ctx, cancel := context.WithTimeout(context.Background(), cancelTimeout)
	defer cancel()
	if _, err := c.CancelJob(ctx, &lockstepv1.CancelJobRequest{Job: id, Reason: "interrupted"}); err != nil {
		a.sayf("interrupted; the job was not cancelled: %v", answer(err))
		return errInterrupted
	}
	a.sayf("interrupted; the job is cancelled")
	return errInterrupted
}
