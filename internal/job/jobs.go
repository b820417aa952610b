package job

import (
	"slices"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

const (
	pending    = lockstepv1.JobState_JOB_STATE_PENDING
	running    = lockstepv1.JobState_JOB_STATE_RUNNING
	recovering = lockstepv1.JobState_JOB_STATE_RECOVERING
	paused     = lockstepv1.JobState_JOB_STATE_PAUSED
	succeeded  = lockstepv1.JobState_JOB_STATE_SUCCEEDED
	failed     = lockstepv1.JobState_JOB_STATE_FAILED
	cancelled  = lockstepv1.JobState_JOB_STATE_CANCELLED
)

func (a *applying) createJob(c *lockstepv1.CreateJob) {
	if a.jobs[c.Job.Id] != nil {
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "job %q exists", c.Job.Id)
		return
	}
	if root := c.Job.DatasetRoot; len(root) > 0 && a.DatasetVersion(root) == nil {
		a.refuse(lockstepv1.Refusal_REFUSAL_NOT_FOUND, "the dataset of job %q was deleted", c.Job.Id)
		return
	}
	j := proto.CloneOf(c.Job)
	if j.RetryOf != "" && !a.takeOver(j, c.From) {
		return
	}
	j.SubmittedMs = a.now
	j.Reason = "waits for workers"
	a.order = append(a.order, j.Id)
	a.result.Id = j.Id
	a.setState(j, pending, j.Reason)
}

func (a *applying) cancelJob(c *lockstepv1.CancelJob) {
	if j := a.edit(c.Job); j != nil && !a.refuseEnded(j) {
		a.setState(j, cancelled, c.Reason)
	}
}

func (a *applying) finishJob(c *lockstepv1.FinishJob) {
	j := a.editCurrent(c.Job, c.Generation)
	if j == nil {
		return
	}
	a.mergeProgress(j, c.Progress)
	if fork := a.extendLedger(j, c.Ledger); fork != "" {
		a.setState(j, failed, fork)
		return
	}
	j.ModelDigest = c.ModelDigest
	a.setState(j, succeeded, "")
}

func (a *applying) failJob(c *lockstepv1.FailJob) {
	if j := a.editCurrent(c.Job, c.Generation); j != nil {
		a.setState(j, failed, c.Reason)
	}
}

func (a *applying) suspendJob(c *lockstepv1.SuspendJob) {
	j := a.editCurrent(c.Job, c.Generation)
	if j == nil {
		return
	}
	j.Generation = withoutMembers(j.Generation)
	state := recovering
	if j.Paused {
		state = paused
	}
	a.stop(j, state, c.Reason)
}

func withoutMembers(g *lockstepv1.Generation) *lockstepv1.Generation {
	g = proto.CloneOf(g)
	g.Members, g.Start = nil, nil
	return g
}

func (a *applying) recordProgress(c *lockstepv1.RecordProgress) {
	j := a.editCurrent(c.Job, c.Generation)
	if j == nil {
		return
	}
	if p := j.Progress; p != nil && c.Progress.Step < p.Step && c.Progress.Evaluated <= p.Evaluated {
		a.refuse(lockstepv1.Refusal_REFUSAL_STALE, "job %q is at step %d already", c.Job, p.Step)
		return
	}
	a.mergeProgress(j, c.Progress)
	if fork := a.extendLedger(j, c.Ledger); fork != "" {
		a.setState(j, failed, fork)
		return
	}
	a.jobs[j.Id] = j
}

// mergeProgress replaces j's progress by p, adding up the timed figures, and tells of what is new.
func (a *applying) mergeProgress(j *lockstepv1.Job, p *lockstepv1.Progress) {
	old := j.Progress
	if old == nil {
		old = &lockstepv1.Progress{}
	}
	p = proto.CloneOf(p)
	evaluation := p.Evaluated > old.Evaluated
	if p.Evaluated > 0 && !evaluation { // its figures came before, from another member
		p.Metrics = nil
	}
	a.addPoint(j, p)
	p.Evaluated = max(p.Evaluated, old.Evaluated)
	p.TimedRecords += old.TimedRecords
	p.TimedSeconds += old.TimedSeconds
	p.RingBytes += old.RingBytes
	p.FloatRingBytes += old.FloatRingBytes
	p.Redone += old.Redone
	p.Phases = addPhases(old.Phases, p.Phases)
	p.Metrics = mergeValues(old.Metrics, p.Metrics)
	step, epoch := p.Step, p.Epoch
	if p.Step < old.Step { // the figures of an evaluation come after those of a later step
		p.Step, p.Epoch = old.Step, old.Epoch
	}
	j.Progress = p
	a.jobEvent(j, "progress", progressData{Step: p.Step, Epoch: p.Epoch, TotalSteps: p.TotalSteps, Workers: p.Workers})
	if evaluation || !slices.EqualFunc(old.Metrics, p.Metrics, equalValue) {
		a.jobEvent(j, "metric", metricData{Step: step, Epoch: epoch, Metrics: valueMap(p.Metrics)})
	}
}

func (a *applying) commitCheckpoint(c *lockstepv1.CommitCheckpoint) {
	j := a.editCurrent(c.Job, c.Generation)
	if j == nil {
		return
	}
	if n := len(j.Checkpoints); n == 0 || j.Checkpoints[n-1].Step < c.Checkpoint.Step {
		a.addCheckpoint(j, c)
	} // else it is a retry, or a slow uploader that others overtook: what is committed stays
	if g := j.Generation; parks(g) && c.Checkpoint.Step >= g.Start.GetPosition()/2 {
		a.park(j)
	}
}

func (a *applying) addCheckpoint(j *lockstepv1.Job, c *lockstepv1.CommitCheckpoint) {
	ck := proto.CloneOf(c.Checkpoint)
	ck.Generation = c.Generation
	ck.CreatedMs = a.now
	j.Checkpoints = retained(j, append(slices.Clone(j.Checkpoints), ck), int(c.KeepLast), int(c.KeepBest))
	a.result.Id = ck.Id
	a.jobs[j.Id] = j
	a.jobEvent(j, "checkpoint", checkpointData{Checkpoint: ck.Id, Step: ck.Step, Epoch: ck.Epoch, Size: ck.Size})
}

func (a *applying) raiseAlert(c *lockstepv1.RaiseAlert) {
	if j := a.edit(c.Job); j != nil {
		kind := "alert"
		if c.Notice {
			kind = "notice"
		}
		a.jobEvent(j, kind, alertData{Reason: c.Reason})
	}
}

// edit returns a copy of a job to change and store, or refuses and returns nil.
func (a *applying) edit(id string) *lockstepv1.Job {
	j := a.jobs[id]
	if j == nil {
		a.refuse(lockstepv1.Refusal_REFUSAL_NOT_FOUND, "no job %q", id)
		return nil
	}
	return proto.CloneOf(j)
}

// editCurrent is edit for a command of a generation's members: it refuses unless that generation is current, has
// members, and the job goes on.
func (a *applying) editCurrent(id string, generation uint64) *lockstepv1.Job {
	j := a.editOf(id, generation)
	if j != nil && j.State != running {
		a.refuse(lockstepv1.Refusal_REFUSAL_STALE, "job %q has no generation at work: it is %s", id, StateName(j.State))
		return nil
	}
	return j
}

// editOf is edit for a command that names a generation, 0 before the first: it refuses unless that is the newest and
// the job goes on.
func (a *applying) editOf(id string, generation uint64) *lockstepv1.Job {
	j := a.edit(id)
	if j == nil || a.refuseEnded(j) {
		return nil
	}
	if j.Generation.GetNumber() != generation {
		a.refuse(lockstepv1.Refusal_REFUSAL_STALE, "generation %d of job %q is over: it is at %d", generation, id, j.Generation.GetNumber())
		return nil
	}
	return j
}

func (a *applying) refuseEnded(j *lockstepv1.Job) bool {
	if Ended(j.State) {
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "job %q has ended: %s", j.Id, StateName(j.State))
		return true
	}
	return false
}

// setState moves a job to a state, frees its workers if it is one without members, stores it and tells.
func (a *applying) setState(j *lockstepv1.Job, state lockstepv1.JobState, reason string) {
	j.State, j.Reason, j.QueuePosition = state, reason, 0
	switch {
	case state == running && j.StartedMs == 0:
		j.StartedMs = a.now
	case Ended(state):
		j.FinishedMs = a.now
	}
	a.jobs[j.Id] = j
	a.reindex(j)
	a.jobEvent(j, "state", a.stateData(j))
	if Ended(state) {
		a.dropReplaced(j.DatasetRoot)
	}
}

// reindex makes memberOf agree with a job that was just stored.
func (a *applying) reindex(j *lockstepv1.Job) {
	for w, id := range a.memberOf {
		if id == j.Id {
			delete(a.memberOf, w)
		}
	}
	if j.State != running {
		return
	}
	for _, m := range j.Generation.Members {
		a.memberOf[m.Worker] = j.Id
	}
}
