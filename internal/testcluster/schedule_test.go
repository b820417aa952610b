package testcluster

import (
	"strconv"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// Whatever the scheduler does to a job, its result is that of an undisturbed run, and no step is made twice.

// parked waits until a job is in a state in which nobody works on it, and checks that its checkpoint holds every step
// that was reported.
func (c *Cluster) parked(id string, state lockstepv1.JobState) *lockstepv1.Job {
	c.t.Helper()
	before := c.job(id).Progress.GetStep()
	j := c.WaitJob(id, state.String(), func(j *lockstepv1.Job) bool { return j.State == state })
	if n := len(j.Checkpoints); n == 0 || j.Checkpoints[n-1].Step < max(before, j.Progress.Step) {
		c.t.Errorf("the newest of %d checkpoints does not hold step %d: %v", n, max(before, j.Progress.Step), j.Checkpoints)
	}
	return j
}

func rarely(t *testing.T, set ...string) []byte {
	return digits(t, append([]string{"spec.checkpoint.every", "{epochs: 1000}"}, set...)...)
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(rarely(t))
	c.WaitStep(id, midway)
	if _, err := c.Client.PauseJob(c.context(), &lockstepv1.PauseJobRequest{Job: id}); err != nil {
		t.Fatal(err)
	}
	j := c.parked(id, lockstepv1.JobState_JOB_STATE_PAUSED)
	c.Workers()[0].Kill() // nobody works on it: that is nothing to a paused job
	c.Workers()[1].Kill()
	c.AddWorker()
	if _, err := c.Client.ResumeJob(c.context(), &lockstepv1.ResumeJobRequest{Job: id}); err != nil {
		t.Fatal(err)
	}
	started := c.WaitMembers(id, 1).Generation.Start
	if step := j.Checkpoints[len(j.Checkpoints)-1].Step; started.Checkpoint == "" || !strings.HasSuffix(started.Checkpoint, "@"+strconv.FormatUint(step, 10)) {
		t.Errorf("went on from %q, want the checkpoint of step %d", started.Checkpoint, step)
	}
	want(t, c.WaitDone(id).ModelDigest)
}

func TestHigherPriorityPreempts(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	low := c.submitAs("low", rarely(t, "metadata.name", "low", "spec.parallelism.workers", "{min: 2, max: 2}"))
	c.WaitStep(low, midway)
	high := c.submitAs("high", digits(t, "metadata.name", "high", "spec.parallelism.workers", "{min: 1, max: 2}", "spec.scheduling", "{priority: 10}"))
	j := c.parked(low, lockstepv1.JobState_JOB_STATE_PENDING)
	t.Log(j.Reason)
	want(t, c.WaitDone(high).ModelDigest)
	want(t, c.WaitDone(low).ModelDigest)
}

func TestElasticJobMakesRoomAndGrowsBack(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 3})
	first := c.submitAs("first", digits(t, "metadata.name", "first"))
	c.WaitMembers(first, 3)
	second := c.submitAs("second", digits(t, "metadata.name", "second", "spec.training.epochs", "1", "spec.parallelism.workers", "{min: 2, max: 2}"))
	c.WaitMembers(first, 1)
	c.WaitDone(second)
	c.WaitMembers(first, 3)
	want(t, c.WaitDone(first).ModelDigest)
}

func TestScaleUnderWay(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 3})
	id := c.Submit(digits(t))
	c.WaitMembers(id, 3)
	for _, n := range []uint32{1, 2} {
		if _, err := c.Client.ScaleJob(c.context(), &lockstepv1.ScaleJobRequest{Job: id, WorkersMin: 1, WorkersMax: n}); err != nil {
			t.Fatal(err)
		}
		c.WaitMembers(id, int(n))
	}
	want(t, c.WaitDone(id).ModelDigest)
}

// TestLastWorkerStops ends the only worker with SIGTERM: it stores the state before it leaves.
func TestLastWorkerStops(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 1})
	id := c.Submit(rarely(t))
	c.WaitStep(id, midway)
	c.Workers()[0].Stop()
	t.Log(c.parked(id, lockstepv1.JobState_JOB_STATE_PENDING).Reason)
	c.AddWorker()
	want(t, c.WaitDone(id).ModelDigest)
}

func TestDrainAndUndrain(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(rarely(t))
	c.WaitMembers(id, 2)
	c.WaitStep(id, midway)
	all, err := c.Client.ListWorkers(c.context(), &lockstepv1.ListWorkersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	drain := func(w *lockstepv1.WorkerStatus, on bool) {
		if _, err := c.Client.DrainWorker(c.context(), &lockstepv1.DrainWorkerRequest{Worker: w.Worker.Id, Draining: on}); err != nil {
			t.Fatal(err)
		}
	}
	drain(all.Workers[0], true)
	c.WaitMembers(id, 1)
	drain(all.Workers[1], true)
	c.parked(id, lockstepv1.JobState_JOB_STATE_PENDING)
	drain(all.Workers[0], false)
	c.WaitMembers(id, 1)
	want(t, c.WaitDone(id).ModelDigest)
}
