package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
)

func (a *app) drainCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "drain WORKER",
		Short: "Give a worker no more work, and take away what it has",
		Long: `Gives a worker no more work. Its part of a job goes to others from the next step on; if it alone has a job's state,
that is stored first. The worker stays registered: undrain lets it work again.`,
		Example: `  lockstep worker drain worker-1-4fa3c2
  lockstep worker drain worker-1-4fa3c2 --reason "new memory"`,
	}
	cmd.Flags().StringVar(&reason, "reason", "drained by user", "`TEXT` that says why")
	return a.setDraining(cmd, true, &reason)
}

func (a *app) undrainCommand() *cobra.Command {
	reason := "undrained by user"
	return a.setDraining(&cobra.Command{
		Use:     "undrain WORKER",
		Short:   "Let a drained worker work again",
		Example: `  lockstep worker undrain worker-1-4fa3c2`,
	}, false, &reason)
}

func (a *app) setDraining(cmd *cobra.Command, draining bool, reason *string) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = wants("WORKER"), a.completeWorkers
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			r := &lockstepv1.DrainWorkerRequest{Worker: args[0], Draining: draining, Reason: *reason}
			if _, err := c.DrainWorker(ctx, r); err != nil {
				return answer(err)
			}
			all, err := c.ListWorkers(ctx, &lockstepv1.ListWorkersRequest{})
			if err != nil {
				return answer(err)
			}
			return a.printWorkers(slices.DeleteFunc(all.Workers, func(w *lockstepv1.WorkerStatus) bool { return w.Worker.Id != args[0] }))
		})
	}
	return a.data(a.remote(cmd))
}
