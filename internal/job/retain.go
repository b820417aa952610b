package job

import (
	"fmt"
	"slices"
	"strconv"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// retained is what is kept of checkpoints, oldest first: the last ones, and those with the best figure. Of equal figures
// the older one is better.
func retained(j *lockstepv1.Job, all []*lockstepv1.Checkpoint, last, best int) []*lockstepv1.Checkpoint {
	if last < 1 || len(all) <= last {
		return all
	}
	ranked := rank(j, all)
	good := ranked[:min(best, len(ranked))]
	recent := all[len(all)-last:]
	return slices.DeleteFunc(slices.Clone(all), func(c *lockstepv1.Checkpoint) bool {
		return !slices.Contains(good, c) && !slices.Contains(recent, c)
	})
}

// rank lists the checkpoints at which the job's monitored figure was measured, the best first.
func rank(j *lockstepv1.Job, all []*lockstepv1.Checkpoint) (ranked []*lockstepv1.Checkpoint) {
	figure := map[*lockstepv1.Checkpoint]float64{}
	for _, c := range all {
		for _, v := range c.Metrics {
			if v.Name == j.Monitor && v.Value == v.Value {
				figure[c] = v.Value
				ranked = append(ranked, c)
			}
		}
	}
	slices.SortStableFunc(ranked, func(a, b *lockstepv1.Checkpoint) int {
		x, y := figure[a], figure[b]
		if j.HigherIsBetter {
			x, y = y, x
		}
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return ranked
}

// Words that name a checkpoint of a job.
const (
	Last = "last"
	Best = "best"
)

// FindCheckpoint finds a checkpoint of a job: the last one, the best one by the job's monitored figure, that of a step,
// or the one with an id. The error tells what there is.
func FindCheckpoint(j *lockstepv1.Job, which string) (*lockstepv1.Checkpoint, error) {
	all := j.GetCheckpoints()
	if len(all) == 0 {
		return nil, fmt.Errorf("job %s has no checkpoint yet", j.GetId())
	}
	switch which {
	case Last:
		return all[len(all)-1], nil
	case Best:
		if ranked := rank(j, all); len(ranked) > 0 {
			return ranked[0], nil
		}
		return nil, fmt.Errorf("job %s has no best checkpoint: none was made where %q was measured", j.Id, j.Monitor)
	}
	step, err := strconv.ParseUint(which, 10, 64)
	for _, c := range all {
		if c.Id == which || err == nil && c.Step == step {
			return c, nil
		}
	}
	var steps []uint64
	for _, c := range all {
		steps = append(steps, c.Step)
	}
	return nil, fmt.Errorf("job %s has no checkpoint %q: there is last, best, and those of steps %v", j.Id, which, steps)
}

// Stored lists all of a job that is stored in chunks: its checkpoints, and the weights that it began with.
func Stored(j *lockstepv1.Job) []*lockstepv1.Checkpoint {
	if j.GetInitial() == nil {
		return j.GetCheckpoints()
	}
	return append(slices.Clone(j.Checkpoints), j.Initial)
}

// deleteCheckpoint forgets a checkpoint, unless the job would resume from it or its result is in it.
func (a *applying) deleteCheckpoint(c *lockstepv1.DeleteCheckpoint) {
	j := a.edit(c.Job)
	if j == nil {
		return
	}
	i := slices.IndexFunc(j.Checkpoints, func(k *lockstepv1.Checkpoint) bool { return k.Id == c.Checkpoint })
	switch {
	case i < 0:
		a.refuse(lockstepv1.Refusal_REFUSAL_NOT_FOUND, "job %q has no checkpoint %q", j.Id, c.Checkpoint)
		return
	case i == len(j.Checkpoints)-1 && j.State == succeeded:
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "checkpoint %q holds the result of job %q", c.Checkpoint, j.Id)
		return
	case i == len(j.Checkpoints)-1 && !Ended(j.State):
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "job %q is %s and would resume from checkpoint %q", j.Id, StateName(j.State), c.Checkpoint)
		return
	}
	j.Checkpoints = slices.Delete(j.Checkpoints, i, i+1)
	a.jobs[j.Id] = j
	a.jobEvent(j, "checkpoint", deletedData{Deleted: c.Checkpoint})
}
