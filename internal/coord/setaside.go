package coord

import (
	"context"
	"errors"
	"slices"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
)

// examine reads a checkpoint of which a member says that nobody can, and sets it aside if that is so: the job resumes
// from the one before it. A checkpoint that may be on a coordinator that does not answer stays. Members that report the
// same one wait for one another.
func (l *leader) examine(ctx context.Context, jobID, checkpoint string) {
	l.examining.Lock()
	defer l.examining.Unlock()
	j, err := l.find(jobID)
	if err != nil {
		return
	}
	i := slices.IndexFunc(j.Checkpoints, func(c *lockstepv1.Checkpoint) bool { return c.Id == checkpoint })
	if i < 0 {
		return
	}
	err = l.readCheckpoint(ctx, j.Checkpoints[i])
	if !errors.Is(err, ckpt.ErrCorrupt) && !noGoodCopy(err) {
		l.log.Info("checkpoint stays", "job", jobID, "checkpoint", checkpoint, "error", err)
		return
	}
	c := &lockstepv1.SetAsideCheckpoint{Job: jobID, Checkpoint: checkpoint, Reason: err.Error()}
	if _, err := l.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_SetAsideCheckpoint{SetAsideCheckpoint: c}}); err != nil {
		l.log.Warn("checkpoint was not set aside", "job", jobID, "checkpoint", checkpoint, "error", err)
	}
}

// readCheckpoint reads a checkpoint, whole, mending what it can on the way.
func (n *Node) readCheckpoint(ctx context.Context, c *lockstepv1.Checkpoint) error {
	_, err := n.state(ctx, c)
	return err
}
