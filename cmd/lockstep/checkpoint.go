package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/job"
	"lockstep/internal/verify"
)

func (a *app) checkpointCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Look at the checkpoints of jobs, and delete them",
		Long: `Commands for the checkpoints that jobs leave. A CHECKPOINT is named JOB@STEP, which is its id, JOB@last or JOB@best; JOB
alone is JOB@last. The best one is that with the best figure of those that checkpoint.monitor names, by default the
validation loss. How many stay is in the specification: checkpoint.keep_last and checkpoint.keep_best.`,
		Example: `  lockstep checkpoint list
  lockstep checkpoint describe digits-mlp@best --verify`,
	}
	cmd.AddCommand(a.listCheckpointsCommand(), a.describeCheckpointCommand(), a.deleteCheckpointCommand())
	return group(cmd)
}

// checkpointView is a checkpoint as scripts read it.
type checkpointView struct {
	Job string `json:"job"`
	job.CheckpointView
	Roles []string `json:"roles"` // last, best, result
}

func checkpointViewOf(j *lockstepv1.Job, k *lockstepv1.Checkpoint) checkpointView {
	v := checkpointView{Job: j.Id, CheckpointView: job.CheckpointViewOf(k), Roles: []string{}}
	for _, role := range []string{job.Last, job.Best} {
		if c, err := job.FindCheckpoint(j, role); err == nil && c == k {
			v.Roles = append(v.Roles, role)
		}
	}
	if j.State == lockstepv1.JobState_JOB_STATE_SUCCEEDED && slices.Contains(v.Roles, job.Last) {
		v.Roles = append(v.Roles, "result")
	}
	return v
}

func (a *app) listCheckpointsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list [JOB]",
		Aliases: []string{"ls"},
		Short:   "List the checkpoints of a job, or of all jobs",
		Example: `  lockstep checkpoint list
  lockstep checkpoint list digits-mlp -o wide
  lockstep checkpoint list digits-mlp -o json | jq '.[-1].root'`,
		Args:              wants("[JOB]"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				if len(args) > 0 {
					j, err := findJob(ctx, c, args[0])
					if err != nil {
						return err
					}
					return a.printCheckpoints([]*lockstepv1.Job{j})
				}
				r, err := c.ListJobs(ctx, &lockstepv1.ListJobsRequest{})
				if err != nil {
					return answer(err)
				}
				return a.printCheckpoints(r.Jobs)
			})
		},
	}
	return a.data(a.remote(cmd))
}

func (a *app) printCheckpoints(jobs []*lockstepv1.Job) error {
	p, views := printed{}, []checkpointView{}
	g := console.Grid{Columns: []console.Column{{Name: "ID"}, {Name: "STEP"}, {Name: "EPOCH"}, {Name: "FIGURE"}, {Name: "ROLES"}, {Name: "SIZE"}, {Name: "AGE"},
		{Name: "GENERATION", Wide: true}, {Name: "CHUNKS", Wide: true}, {Name: "ROOT", Wide: true}}}
	for _, j := range jobs {
		for _, k := range j.Checkpoints {
			v := checkpointViewOf(j, k)
			views, p.names = append(views, v), append(p.names, v.ID)
			figure := ""
			if x, ok := v.Metrics[j.Monitor]; ok {
				figure = fmt.Sprintf("%s %.6g", j.Monitor, x)
			}
			g.Add(v.ID, fmt.Sprint(v.Step), fmt.Sprint(v.Epoch), figure, strings.Join(v.Roles, ","), size(v.Size), ago(v.Created),
				fmt.Sprint(v.Generation), fmt.Sprint(v.Chunks), v.Root)
		}
	}
	p.value = views
	p.table = func(w io.Writer, wide bool) error {
		if len(views) == 0 {
			a.sayf("There are no checkpoints yet.")
			return nil
		}
		return g.Write(w, wide)
	}
	return a.print(p)
}

// findCheckpoint gets the checkpoint that JOB@WHICH or JOB names.
func findCheckpoint(ctx context.Context, c *client.Client, name string) (*lockstepv1.Job, *lockstepv1.Checkpoint, error) {
	of, which := name, job.Last
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		of, which = name[:i], name[i+1:]
	}
	j, err := findJob(ctx, c, of)
	if err != nil {
		return nil, nil, err
	}
	k, err := job.FindCheckpoint(j, which)
	if err != nil {
		return nil, nil, exitErrorf(codeNotFound, "%w", err)
	}
	return j, k, nil
}

// describedCheckpoint is all that there is to say of a checkpoint.
type describedCheckpoint struct {
	checkpointView
	ChunkDigests []string      `json:"chunk_digests"`
	Verification *verify.Check `json:"verification,omitempty"`
}

func (a *app) describeCheckpointCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "describe CHECKPOINT",
		Short: "Show all that is known of a checkpoint",
		Long: `Shows all that is known of a checkpoint: its step and figures, its size and the digests of its chunks. With --verify
every byte of it is fetched and checked, and that it is a state of its job at its step with the ledger up to there; the exit
code is 7 if it is not.`,
		Example: `  lockstep checkpoint describe digits-mlp@best
  lockstep checkpoint describe digits-mlp@last --verify -o json`,
		Args:              wants("CHECKPOINT"),
		ValidArgsFunction: a.completeCheckpoints,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				find, cancel := context.WithTimeout(ctx, callTimeout)
				defer cancel()
				j, k, err := findCheckpoint(find, c, args[0])
				if err != nil {
					return err
				}
				d := describedCheckpoint{checkpointView: checkpointViewOf(j, k)}
				for _, h := range k.Chunks {
					d.ChunkDigests = append(d.ChunkDigests, "sha256:"+hex.EncodeToString(h))
				}
				if check {
					found, err := verifyCheckpoint(ctx, c, j, k)
					if err != nil {
						return err
					}
					d.Verification = &found
				}
				return a.printCheckpoint(d)
			})
		},
	}
	cmd.Flags().BoolVar(&check, "verify", false, "fetch the checkpoint and check every byte of it")
	return a.data(a.remote(cmd))
}

// verifyCheckpoint checks a checkpoint against its job's ledger, or only its bytes where the job has none.
func verifyCheckpoint(ctx context.Context, c *client.Client, j *lockstepv1.Job, k *lockstepv1.Checkpoint) (verify.Check, error) {
	l, err := c.GetLedger(ctx, &lockstepv1.GetJobRequest{Job: j.Id})
	if err != nil {
		return verify.Check{}, answer(err)
	}
	v, err := verify.Open(j, l, c)
	if err == nil {
		return v.Checkpoint(ctx, k), nil
	}
	if !errors.Is(err, verify.ErrNoLedger) {
		return verify.Check{}, err
	}
	found := verify.Check{Name: "checkpoint " + k.Id, OK: true, Detail: fmt.Sprintf("%d chunks are whole; there is no ledger to compare with", len(k.Chunks))}
	if s, err := c.State(ctx, k); err != nil || s.Step != k.Step {
		found.OK, found.Detail = false, fmt.Sprintf("it is not the state of step %d", k.Step)
		if err != nil {
			found.Detail = err.Error()
		}
	}
	return found, nil
}

func (a *app) printCheckpoint(d describedCheckpoint) error {
	err := a.print(printed{value: d, names: []string{d.ID}, table: func(w io.Writer, wide bool) error {
		var f console.Facts
		f.Add("checkpoint", d.ID)
		f.Add("job", d.Job)
		f.Add("roles", strings.Join(d.Roles, ", "))
		f.Add("step", fmt.Sprint(d.Step))
		f.Add("epoch", fmt.Sprint(d.Epoch))
		f.Add("generation", fmt.Sprint(d.Generation))
		f = append(f, metricFacts(d.Metrics)...)
		f.Add("created", stamp(d.Created))
		f.Add("bytes", fmt.Sprint(d.Size))
		f.Add("chunks", fmt.Sprint(d.Chunks))
		f.Add("root", d.Root)
		if d.Verification != nil {
			f.Add("verified", yesNo(d.Verification.OK)+": "+d.Verification.Detail)
		}
		if err := f.Write(w); err != nil {
			return err
		}
		if !wide {
			return nil
		}
		_, err := fmt.Fprintf(w, "\nChunks\n%s\n", strings.Join(d.ChunkDigests, "\n"))
		return err
	}})
	if v := d.Verification; err == nil && v != nil && !v.OK {
		return exitErrorf(codeUnverified, "checkpoint %s is not verified: %s", d.ID, v.Detail)
	}
	return err
}

func (a *app) deleteCheckpointCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete CHECKPOINT...",
		Aliases: []string{"rm"},
		Short:   "Delete checkpoints",
		Long: `Deletes checkpoints. The one that a job which has not ended would resume from stays, and so does the one that holds the
result of a job. Chunks that nothing refers to any more are removed within half an hour.`,
		Example: `  lockstep checkpoint delete digits-mlp@100
  lockstep checkpoint delete digits-mlp@100 digits-mlp@200`,
		Args:              wants("CHECKPOINT..."),
		ValidArgsFunction: a.completeCheckpoints,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.deleteAll(cmd, args, func(ctx context.Context, c *client.Client, name string) (string, error) {
				j, k, err := findCheckpoint(ctx, c, name)
				if err != nil {
					return "", err
				}
				_, err = c.DeleteCheckpoint(ctx, &lockstepv1.DeleteCheckpointRequest{Job: j.Id, Checkpoint: k.Id})
				return k.Id, answer(err)
			})
		},
	}
	return a.data(a.remote(cmd))
}

// completeCheckpoints completes the ids of checkpoints, and the words for the best and the last of a job.
func (a *app) completeCheckpoints(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, prefix, func(jobs []*lockstepv1.Job) (names []string) {
		for _, j := range jobs {
			for _, k := range j.Checkpoints {
				names = append(names, k.Id)
			}
			if len(j.Checkpoints) > 0 {
				names = append(names, j.Name+"@"+job.Best, j.Name+"@"+job.Last)
			}
		}
		return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(args, n) })
	})
}
