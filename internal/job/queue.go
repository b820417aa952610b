package job

import (
	lockstepv1 "lockstep/api/lockstep/v1"
)

// pauseJob keeps a job from being worked on. One that has members is parked by the leader first.
func (a *applying) pauseJob(c *lockstepv1.PauseJob) {
	j := a.edit(c.Job)
	if j == nil || a.refuseEnded(j) || j.Paused {
		return
	}
	j.Paused = true
	if j.State == running {
		a.jobs[j.Id] = j
		return
	}
	a.stop(j, paused, c.Reason)
}

func (a *applying) resumeJob(c *lockstepv1.ResumeJob) {
	j := a.edit(c.Job)
	if j == nil || a.refuseEnded(j) {
		return
	}
	if !j.Paused {
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "job %q is not paused: it is %s", j.Id, StateName(j.State))
		return
	}
	j.Paused = false
	if j.State == running {
		a.jobs[j.Id] = j
		return
	}
	a.stop(j, pending, "was resumed")
}

func (a *applying) scaleJob(c *lockstepv1.ScaleJob) {
	j := a.edit(c.Job)
	if j == nil || a.refuseEnded(j) {
		return
	}
	if c.WorkersMin < 1 || c.WorkersMax < c.WorkersMin || c.WorkersMin > j.MicroBatches {
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "job %q cannot have %d to %d workers: want 1 <= min <= max, and min at most its %d micro-batches",
			j.Id, c.WorkersMin, c.WorkersMax, j.MicroBatches)
		return
	}
	j.WorkersMin, j.WorkersMax = c.WorkersMin, c.WorkersMax
	a.jobs[j.Id] = j
}

// explainWait says in words what a job waits for.
func (a *applying) explainWait(c *lockstepv1.ExplainWait) {
	j := a.edit(c.Job)
	if j == nil || j.State != pending && j.State != recovering {
		return
	}
	j.Reason, j.QueuePosition = c.Reason, c.QueuePosition
	a.jobs[j.Id] = j
}

// stop moves a job to a state in which nobody works on it.
func (a *applying) stop(j *lockstepv1.Job, state lockstepv1.JobState, because string) {
	j.Because = because
	a.setState(j, state, because)
}

// park is the end of a generation whose members were to store the state.
func (a *applying) park(j *lockstepv1.Job) {
	state, cause := j.Generation.Park, j.Generation.Cause
	if j.Paused {
		state = paused
	}
	j.Generation = withoutMembers(j.Generation)
	a.stop(j, state, cause)
}
