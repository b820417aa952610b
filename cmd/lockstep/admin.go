package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/job"
)

func (a *app) membersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "members",
		Short:   "List the coordinators",
		Example: `  lockstep cluster members -o wide`,
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				s, err := c.GetStatus(ctx, &lockstepv1.GetStatusRequest{})
				if err != nil {
					return answer(err)
				}
				return a.printMembers(job.ClusterViewOf(s))
			})
		},
	}
	return a.data(a.remote(cmd))
}

func (a *app) transferCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "transfer-leader",
		Short: "Hand leadership to another coordinator; jobs go on meanwhile",
		Example: `  lockstep cluster transfer-leader
  lockstep cluster transfer-leader --to coordinator-2`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				if _, err := c.TransferLeader(ctx, &lockstepv1.TransferLeaderRequest{Coordinator: to}); err != nil {
					return answer(err)
				}
				s, err := c.GetStatus(ctx, &lockstepv1.GetStatusRequest{})
				if err != nil {
					return answer(err)
				}
				return a.printMembers(job.ClusterViewOf(s))
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "hand it to the coordinator `ID`; default: the one that is the furthest")
	must(cmd.RegisterFlagCompletionFunc("to", a.completeCoordinators))
	return a.remote(a.data(cmd))
}

func (a *app) snapshotCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Save and restore the whole cluster's state",
		Long: `A snapshot holds everything that the coordinators keep: jobs, checkpoints with their data, ledgers and events, with a
digest of the whole. It does not hold datasets.`,
		Example: `  lockstep cluster snapshot save cluster.snapshot`,
	}
	cmd.AddCommand(a.snapshotSave(), a.snapshotRestore())
	return group(cmd)
}

// snapshotView is what a snapshot holds.
type snapshotView struct {
	File string `json:"file"`
	client.Snapshot
}

func (a *app) snapshotSave() *cobra.Command {
	return a.data(a.remote(&cobra.Command{
		Use:     "save FILE",
		Short:   "Write the cluster's state to a file; jobs go on meanwhile",
		Example: `  lockstep cluster snapshot save cluster.snapshot`,
		Args:    wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) (err error) {
				part := args[0] + ".part"
				f, err := os.Create(part)
				if err != nil {
					return fmt.Errorf("save snapshot: %w", err)
				}
				s, err := c.SaveSnapshot(ctx, f)
				if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
					err = os.Rename(part, args[0])
				}
				if err != nil {
					return errors.Join(answer(err), os.Remove(part))
				}
				return a.done(snapshotView{args[0], s}, args[0], "saved %d jobs and %d chunks of checkpoints to %s", s.Jobs, s.Chunks, args[0])
			})
		},
	}))
}

func (a *app) snapshotRestore() *cobra.Command {
	return a.data(a.remote(&cobra.Command{
		Use:   "restore FILE",
		Short: "Put a saved state in the place of the cluster's present one",
		Long: `Replaces everything that the cluster knows by what is in the file, which is checked as a whole first: a damaged one changes
nothing, and ends with code 7. Jobs that ran when it was saved go on from their newest checkpoints in it.`,
		Example: `  lockstep cluster snapshot restore cluster.snapshot`,
		Args:    wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("restore snapshot: %w", err)
				}
				defer f.Close()
				s, err := c.RestoreSnapshot(ctx, f)
				if errors.Is(err, client.ErrSnapshot) {
					return exitErrorf(codeUnverified, "restore %s: %w", args[0], err)
				}
				if err != nil {
					return answer(err)
				}
				return a.done(snapshotView{args[0], s}, args[0], "restored %d jobs and %d chunks of checkpoints from %s", s.Jobs, s.Chunks, args[0])
			})
		},
	}))
}
