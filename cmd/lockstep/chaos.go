package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/chaos"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/job"
)

type chaosOptions struct {
	spec                  specFlags
	file                  string
	seed                  uint64
	duration              time.Duration
	workers, coordinators int
	check, dryRun         bool
}

func (a *app) chaosCommand() *cobra.Command {
	var o chaosOptions
	cmd := &cobra.Command{
		Use:   "chaos FAULT...",
		Short: "Train a job while its cluster is disturbed, and see that the result is the same",
		Long: `Starts a cluster of processes on this machine, trains the job that --job names, and meanwhile disturbs the processes by a
schedule that follows from --seed alone: the same seed, the same faults at the same times. Then everything is healed and the
job goes on to its end. With --check the job is trained once more, undisturbed and on one worker: the digests must be equal,
or the exit code is 7.

Each FAULT is one of
  kill       a process is killed with SIGKILL, and started again after a while
  freeze     a process is stopped for up to 5 s, longer than a lease, and goes on as if nothing had been
  partition  a process's host is cut off for up to 5 s; each has a network namespace of its own, which needs root and iproute2
  slow       a worker runs for a tenth of the time, for up to 5 s
  corrupt    a bit of a checkpoint is flipped on one coordinator's disk

The cluster always keeps what it needs: one coordinator at a time is disturbed, and the disk of one alone lies.
`,
		Example: `  lockstep chaos kill freeze --job examples/digits-mlp.yaml --set training.epochs=100 --duration 20s --check
  lockstep chaos kill --seed 7 --duration 1m --dry-run     # only the schedule
  sudo lockstep chaos kill partition corrupt --job job.yaml --duration 5m --workers 8 --check -o json`,
		Args:      wants("FAULT..."),
		ValidArgs: kindNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := o.plan(cmd, args)
			if err != nil {
				return err
			}
			if o.dryRun {
				return a.printChaos(chaosReport{Seed: o.seed, Schedule: plan})
			}
			return a.chaos(cmd, o, plan)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.file, "job", "", "train the job that `FILE` specifies")
	o.spec.register(f)
	f.Uint64Var(&o.seed, "seed", 1, "make the schedule of seed `N`")
	f.DurationVar(&o.duration, "duration", 30*time.Second, "disturb for `TIME`; a job that ends sooner ends it")
	f.IntVar(&o.workers, "workers", 4, "start `N` workers")
	f.IntVar(&o.coordinators, "coordinators", 3, "start `N` coordinators; those of less than 3 are not disturbed, except on disk")
	f.BoolVar(&o.check, "check", false, "train the job once more, undisturbed, and compare digests")
	f.BoolVar(&o.dryRun, "dry-run", false, "only print the schedule")
	cmd.AddCommand(a.chaosProcessCommands()...)
	return a.data(cmd)
}

func kindNames() (names []string) {
	for _, k := range chaos.Kinds {
		names = append(names, string(k))
	}
	return names
}

func (o *chaosOptions) plan(cmd *cobra.Command, args []string) ([]chaos.Fault, error) {
	var kinds []chaos.Kind
	for _, arg := range args {
		if !slices.Contains(chaos.Kinds, chaos.Kind(arg)) {
			return nil, usageErrorf(cmd, "unknown fault %q%s", arg, didYouMean(arg, kindNames(), ""))
		}
		kinds = append(kinds, chaos.Kind(arg))
	}
	switch {
	case o.file == "" && !o.dryRun:
		return nil, usageErrorf(cmd, "--job is missing: which job is to be trained?")
	case o.workers < 1 || o.coordinators < 1:
		return nil, usageErrorf(cmd, "--workers %d, --coordinators %d: want at least 1 of each", o.workers, o.coordinators)
	case o.duration <= 0:
		return nil, usageErrorf(cmd, "--duration %v: want more than 0", o.duration)
	case slices.Contains(kinds, chaos.Corrupt) && o.coordinators < 2:
		return nil, usageErrorf(cmd, "corrupt with one coordinator: no copy would be left to mend from")
	}
	return chaos.Plan(o.seed, o.duration, kinds, o.coordinators, o.workers), nil
}

// chaosReport is what happened, and what came out of it.
type chaosReport struct {
	Seed        uint64        `json:"seed"`
	Schedule    []chaos.Fault `json:"schedule"`
	Happened    int           `json:"happened"` // faults of the schedule
	Job         *job.View     `json:"job,omitempty"`
	Undisturbed string        `json:"undisturbed_digest,omitempty"`
	Same        *bool         `json:"same,omitempty"`
}

func (a *app) chaos(cmd *cobra.Command, o chaosOptions, plan []chaos.Fault) (err error) {
	s, err := a.loadSpec(cmd, o.file, o.spec)
	if err != nil {
		return err
	}
	if err := s.checkFiles(); err != nil {
		return err
	}
	dir, err := a.scratch.make()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.scratch.remove()) }()
	r := chaosReport{Seed: o.seed, Schedule: plan}
	j, err := a.disturbed(cmd.Context(), o, s, dir, &r)
	if err != nil {
		return err
	}
	view := job.ViewOf(j)
	r.Job = &view
	if o.check && j.State == lockstepv1.JobState_JOB_STATE_SUCCEEDED {
		if r.Undisturbed, err = a.undisturbed(cmd.Context(), s, dir); err != nil {
			return err
		}
		same := r.Undisturbed == j.ModelDigest
		r.Same = &same
	}
	if err := a.printChaos(r); err != nil {
		return err
	}
	if r.Same != nil && !*r.Same {
		return exitErrorf(codeUnverified, "the disturbed job's model is %s, the undisturbed one's %s", j.ModelDigest, r.Undisturbed)
	}
	return outcome(j)
}

// disturbed trains the job while its cluster is disturbed.
func (a *app) disturbed(ctx context.Context, o chaosOptions, s *specText, dir string, r *chaosReport) (j *lockstepv1.Job, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	hosts := slices.ContainsFunc(r.Schedule, func(f chaos.Fault) bool { return f.Kind == chaos.Partition })
	cluster, err := chaos.Start(chaos.Config{Program: []string{self, "chaos"}, Dir: dir, Coordinators: o.coordinators, Workers: o.workers, Hosts: hosts})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	c, err := client.Dial(cluster.Addresses())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	j, err = submit(ctx, c, s)
	if err != nil {
		return nil, err
	}
	a.sayf("seed %d: %d faults", r.Seed, len(r.Schedule))
	during, stop := context.WithCancel(ctx)
	defer stop()
	storm := make(chan error, 1)
	go func() {
		storm <- cluster.Run(during, r.Schedule, func(ctx context.Context) []byte { return newestChunk(ctx, c, j.Id) }, func(f chaos.Fault) {
			r.Happened++
			a.sayf("%6.1f s  %s %s", f.At.Seconds(), f.Kind, f.Target)
		})
	}()
	j, err = a.attach(ctx, c, j.Id, "")
	stop()
	return j, errors.Join(err, <-storm)
}

// newestChunk is the first chunk of a job's newest checkpoint, nil if that cannot be had now.
func newestChunk(ctx context.Context, c *client.Client, id string) []byte {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	j, err := c.GetJob(ctx, &lockstepv1.GetJobRequest{Job: id})
	if err != nil || len(j.Checkpoints) == 0 {
		return nil
	}
	r, err := c.GetChunk(ctx, &lockstepv1.GetChunkRequest{Hash: j.Checkpoints[len(j.Checkpoints)-1].Chunks[0]})
	if err != nil {
		return nil
	}
	return r.Data
}

// undisturbed trains the job on one worker that nothing happens to, and returns its digest.
func (a *app) undisturbed(ctx context.Context, s *specText, dir string) (digest string, err error) {
	a.sayf("the same job, undisturbed")
	dir, err = os.MkdirTemp(dir, "undisturbed-*")
	if err != nil {
		return "", err
	}
	cluster, closeCluster, err := a.startCluster(ctx, dir, embeddedFlags{workers: 1, coordinators: 1}, "", "")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, closeCluster()) }()
	c, err := client.Dial(cluster.Addresses())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	j, err := submit(ctx, c, s)
	if err == nil {
		j, err = a.attach(ctx, c, j.Id, "")
	}
	return j.GetModelDigest(), err
}

func (a *app) printChaos(r chaosReport) error {
	return a.print(printed{value: r, names: []string{fmt.Sprint(r.Seed)}, table: func(w io.Writer, wide bool) error {
		g := console.Grid{Columns: []console.Column{{Name: "AT"}, {Name: "FAULT"}, {Name: "TARGET"}, {Name: "LASTS"}}}
		for _, f := range r.Schedule {
			g.Add(fmt.Sprintf("%.1fs", f.At.Seconds()), string(f.Kind), f.Target, fmt.Sprintf("%.1fs", f.Lasts.Seconds()))
		}
		if err := g.Write(w, wide); err != nil || r.Job == nil {
			return err
		}
		var f console.Facts
		f.Add("faults", fmt.Sprintf("%d of %d", r.Happened, len(r.Schedule)))
		f.Add("job", r.Job.State)
		f.Add("generations", fmt.Sprint(r.Job.Generations))
		f.Add("digest", r.Job.ModelDigest)
		f.Add("undisturbed", r.Undisturbed)
		fmt.Fprintln(w)
		return f.Write(w)
	}})
}
