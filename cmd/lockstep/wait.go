package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"lockstep/internal/client"
)

func (a *app) waitCommand() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait JOB",
		Short: "Wait until a job has ended",
		Long: `Waits until a job has ended, with its progress on standard error, and prints it. The exit code tells how it ended:
0 SUCCEEDED, 3 FAILED, 4 CANCELLED, 124 not within --timeout. The job itself does not notice.`,
		Example: `  lockstep job wait digits-mlp
  lockstep job wait digits-mlp --timeout 10m -o json`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimedOut)
				defer cancel()
			}
			err := a.connected(ctx, func(ctx context.Context, c *client.Client) error {
				find, cancel := context.WithTimeout(ctx, callTimeout)
				defer cancel()
				j, err := findJob(find, c, args[0])
				if err != nil {
					return err
				}
				return a.follow(ctx, c, j.Id, "", nil)
			})
			if err != nil && errors.Is(context.Cause(ctx), errTimedOut) {
				return exitErrorf(codeTimedOut, "job %s has not ended within %v", args[0], timeout)
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "give up after `TIME`, such as 30s or 2h; 0: never")
	return a.data(a.remote(cmd))
}

// errTimedOut is the cause with which a wait ends that took too long.
var errTimedOut = errors.New("timed out")
