package job

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// Start is the word for the beginning, where Last and Best name checkpoints.
const Start = "start"

// RetryFrom finds the checkpoint from which a job is to go on: last, best, start, a step or an id; "" is the last one, or
// the beginning where there is none. It returns the checkpoint's id, or "" for the beginning.
func RetryFrom(j *lockstepv1.Job, from string) (string, error) {
	switch {
	case from == Start, from == "" && len(j.GetCheckpoints()) == 0:
		return "", nil
	case from == "":
		from = Last
	}
	k, err := FindCheckpoint(j, from)
	if err != nil {
		return "", err
	}
	return k.Id, nil
}

// Again is a job that does the same as another one, under an id of its own.
func Again(j *lockstepv1.Job, id string) *lockstepv1.Job {
	return &lockstepv1.Job{Id: id, Name: j.Name, Labels: j.Labels, Spec: j.Spec, SpecHash: j.SpecHash, WorkersMin: j.WorkersMin, WorkersMax: j.WorkersMax,
		MicroBatches: j.MicroBatches, Priority: j.Priority, Initial: j.Initial, Monitor: j.Monitor, HigherIsBetter: j.HigherIsBetter,
		DatasetRoot: j.DatasetRoot, RetryOf: j.Id}
}

// takeOver gives a new job what the one that it goes on with had up to a checkpoint: the checkpoints until then, the
// ledger and the figures. It refuses, and returns false, if that is not possible.
func (a *applying) takeOver(j *lockstepv1.Job, from string) bool {
	old := a.jobs[j.RetryOf]
	switch {
	case old == nil:
		a.refuse(lockstepv1.Refusal_REFUSAL_NOT_FOUND, "no job %q", j.RetryOf)
		return false
	case old.State != failed && old.State != cancelled:
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "job %q is %s: only one that failed or was cancelled is tried again", old.Id, StateName(old.State))
		return false
	case from == "":
		return true
	}
	i := slices.IndexFunc(old.Checkpoints, func(k *lockstepv1.Checkpoint) bool { return k.Id == from })
	if i < 0 {
		a.refuse(lockstepv1.Refusal_REFUSAL_NOT_FOUND, "job %q has no checkpoint %q", old.Id, from)
		return false
	}
	j.RetryFrom = from
	for _, k := range old.Checkpoints[:i+1] {
		k = proto.CloneOf(k)
		k.Id = fmt.Sprintf("%s@%d", j.Id, k.Step)
		j.Checkpoints = append(j.Checkpoints, k)
	}
	a.takeRecords(j, old, old.Checkpoints[i])
	return true
}

// takeRecords gives a job what is known of another one's steps up to a checkpoint.
func (a *applying) takeRecords(j, old *lockstepv1.Job, k *lockstepv1.Checkpoint) {
	if p := old.Progress; p != nil {
		j.Progress = &lockstepv1.Progress{Step: k.Step, Epoch: k.Epoch, TotalSteps: p.TotalSteps, TotalEpochs: p.TotalEpochs, Parameters: p.Parameters, Metrics: k.Metrics}
	}
	if l := a.ledgers[old.Id]; l != nil {
		l = proto.CloneOf(l)
		l.Job = j.Id
		l.Chain = slices.DeleteFunc(l.Chain, func(r *lockstepv1.LedgerRecord) bool { return r.Step > k.Step })
		a.ledgers[j.Id] = l
		if n := len(l.Chain); n > 0 {
			j.LedgerStep, j.LedgerHead = l.Chain[n-1].Step, l.Chain[n-1].Hash
		}
	}
	if s := a.series[old.Id]; s != nil {
		points := slices.DeleteFunc(slices.Clone(s.Points), func(p *lockstepv1.Point) bool { return p.Step > k.Step })
		a.series[j.Id] = &lockstepv1.Series{Job: j.Id, Points: points}
	}
}

// deleteJob forgets a job, with all that is known of it but its events.
func (a *applying) deleteJob(c *lockstepv1.DeleteJob) {
	j := a.edit(c.Job)
	switch {
	case j == nil:
		return
	case !Ended(j.State) && !c.Force:
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "job %q has not ended: it is %s", j.Id, StateName(j.State))
		return
	case !Ended(j.State):
		a.setState(j, cancelled, "deleted")
	}
	a.jobEvent(j, "state", stateData{Name: j.Name, State: "DELETED"})
	delete(a.jobs, j.Id)
	delete(a.ledgers, j.Id)
	delete(a.series, j.Id)
	a.order = slices.DeleteFunc(slices.Clone(a.order), func(id string) bool { return id == j.Id })
}
