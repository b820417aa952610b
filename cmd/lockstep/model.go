package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/bundle"
	"lockstep/internal/ckpt"
	"lockstep/internal/client"
)

func (a *app) modelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "model",
		Short:   "Take models from the cluster, and use them",
		Long:    `Commands for the models that jobs leave.`,
		Example: `  lockstep model export digits-mlp --format safetensors --output digits.safetensors`,
	}
	cmd.AddCommand(a.exportCommand(), a.predictCommand(), a.generateCommand(), a.evaluateCommand())
	return group(cmd)
}

// newestState fetches a job's newest committed checkpoint, verified chunk by chunk.
func newestState(ctx context.Context, c *client.Client, j *lockstepv1.Job) (*ckpt.State, error) {
	n := len(j.GetCheckpoints())
	if n == 0 {
		return nil, fmt.Errorf("model of job %q: %w", j.GetId(), client.ErrNoCheckpoint)
	}
	s, err := c.State(ctx, j.Checkpoints[n-1])
	if err != nil {
		return nil, fmt.Errorf("model of job %q: %w", j.Id, err)
	}
	return s, nil
}

// openModel finds the model that an argument names: a file written with --format bundle, or a job.
func (a *app) openModel(ctx context.Context, name string) (*bundle.Bundle, error) {
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		return bundle.ReadFile(name)
	}
	var b *bundle.Bundle
	err := a.connected(ctx, func(ctx context.Context, c *client.Client) error {
		find, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		j, err := findJob(find, c, name)
		if err != nil {
			return err
		}
		s, err := newestState(ctx, c, j)
		if err != nil {
			return err
		}
		b, err = bundle.FromState(j.Spec, s, false)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("model %q: there is no such file, and as a job: %w", name, err)
	}
	return b, nil
}

// errNoBest marks a state in which nothing better than the last step is kept.
var errNoBest = errors.New("only the last state is kept: the specification says neither export.which: best nor restore_best_weights, or nothing was evaluated yet")
