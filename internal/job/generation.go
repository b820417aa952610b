package job

import (
	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// formGeneration makes the next membership of a job. Its number is the command's raft index.
func (a *applying) formGeneration(c *lockstepv1.FormGeneration) {
	j := a.editOf(c.Job, c.Replaces)
	if j == nil || !a.membersFit(j, c.Members) {
		return
	}
	if j.Paused && c.Park == lockstepv1.JobState_JOB_STATE_UNSPECIFIED {
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "job %q is paused", j.Id)
		return
	}
	g := &lockstepv1.Generation{
		Dispute: j.Generation.GetDispute(), Careful: c.Careful,
		Number: a.index, Cause: c.Cause, Phase: lockstepv1.GenerationPhase_GENERATION_PHASE_FORMING, Park: c.Park,
	}
	for _, m := range c.Members {
		g.Members = append(g.Members, proto.CloneOf(m))
	}
	for _, l := range c.LeftOut {
		g.LeftOut = append(g.LeftOut, proto.CloneOf(l))
	}
	if c.Dispute != nil {
		g.Dispute = proto.CloneOf(c.Dispute)
	}
	j.Generation = g
	j.Generations++
	j.Because = ""
	a.keepHistory(j)
	a.setState(j, running, c.Cause)
}

// maxHistory is how many generations of a job are remembered.
const maxHistory = 20

// keepHistory notes a job's newest generation.
func (a *applying) keepHistory(j *lockstepv1.Job) {
	g := j.Generation
	j.History = append(j.History, &lockstepv1.GenerationRecord{
		Number: g.Number, Cause: g.Cause, Workers: uint32(len(g.Members)), FormedMs: a.now, Park: g.Park})
	j.History = j.History[max(0, len(j.History)-maxHistory):]
}

// membersFit checks invariants 1 and 2 for a new membership.
func (a *applying) membersFit(j *lockstepv1.Job, members []*lockstepv1.Member) bool {
	next := uint32(0)
	seen := map[string]bool{}
	for _, m := range members {
		switch other := a.memberOf[m.Worker]; {
		case a.workers[m.Worker] == nil:
			a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "no worker %q", m.Worker)
			return false
		case seen[m.Worker]:
			a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "worker %q is a member twice", m.Worker)
			return false
		case other != "" && other != j.Id:
			a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "worker %q works for job %q", m.Worker, other)
			return false
		case m.SegmentFrom != next || m.SegmentTo < m.SegmentFrom:
			a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "segments of worker %q are [%d, %d), want them to begin at %d", m.Worker, m.SegmentFrom, m.SegmentTo, next)
			return false
		}
		next = m.SegmentTo
		seen[m.Worker] = true
	}
	if next != j.MicroBatches || len(members) == 0 {
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "members own %d of %d segments", next, j.MicroBatches)
		return false
	}
	return true
}

// parks reports whether a generation's members are to store the state instead of making steps.
func parks(g *lockstepv1.Generation) bool {
	return g.GetPark() != lockstepv1.JobState_JOB_STATE_UNSPECIFIED
}

// startGeneration lets the ring of a generation run, from the position that its members agreed on.
func (a *applying) startGeneration(c *lockstepv1.StartGeneration) {
	j := a.editCurrent(c.Job, c.Generation)
	if j == nil {
		return
	}
	if j.Generation.Phase == lockstepv1.GenerationPhase_GENERATION_PHASE_RUNNING {
		return // a retry
	}
	g := proto.CloneOf(j.Generation)
	g.Phase = lockstepv1.GenerationPhase_GENERATION_PHASE_RUNNING
	g.Start = proto.CloneOf(c.Start)
	j.Generation = g
	if parks(g) && g.Start.Source == "" {
		a.park(j) // nobody has more than what is stored
		return
	}
	a.jobs[j.Id] = j
	a.jobEvent(j, "state", a.stateData(j))
}
