package job

import (
	"fmt"
	"slices"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// maxSetAside is how many unreadable checkpoints of a job are remembered.
const maxSetAside = 8

// setAsideCheckpoint takes a checkpoint that cannot be read out of those to resume from: the one before it is the
// newest again. The steps since then are done once more, to the same bits.
func (a *applying) setAsideCheckpoint(c *lockstepv1.SetAsideCheckpoint) {
	j := a.edit(c.Job)
	if j == nil || a.refuseEnded(j) {
		return
	}
	i := slices.IndexFunc(j.Checkpoints, func(k *lockstepv1.Checkpoint) bool { return k.Id == c.Checkpoint })
	if i < 0 {
		return // a retry, or another member was faster
	}
	bad := j.Checkpoints[i]
	bad.SetAsideReason = c.Reason
	j.Checkpoints = slices.Delete(j.Checkpoints, i, i+1)
	j.SetAside = append(j.SetAside, bad)
	j.SetAside = j.SetAside[max(0, len(j.SetAside)-maxSetAside):]
	a.jobs[j.Id] = j
	a.jobEvent(j, "alert", alertData{Reason: fmt.Sprintf("checkpoint %s is set aside: %s", bad.Id, c.Reason)})
}
