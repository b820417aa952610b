package testcluster

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// The promise under fire: processes are killed for real, and the model has the same digest.

// midway is a step at which the job is well under way and far from its end.
const midway = 50

func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 3})
	id := c.Submit(digits(t))
	c.WaitStep(id, midway)
	c.Workers()[1].Kill()
	j := c.WaitDone(id)
	want(t, j.ModelDigest)
	if j.Generations < 2 {
		t.Errorf("%d generations: the loss was not noticed", j.Generations)
	}
}

// TestWorkerKilledInEachPhase: in the middle of computing, of summing, before the update, and in an evaluation.
func TestWorkerKilledInEachPhase(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"90:compute", "90:sum", "90:update", fmt.Sprintf("%d:evaluation", lastStep)} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			c := Start(t, Options{Workers: 2})
			victim := c.AddWorker("--test-fail-at", place+":kill")
			id := c.submitWhen(3, "spec.parallelism.bucket_mb", "0.01")
			j := c.WaitDone(id)
			want(t, j.ModelDigest)
			if victim.Alive() || j.Generations < 2 {
				t.Errorf("%d generations: no worker was killed", j.Generations)
			}
		})
	}
}

// TestRollingUpgrade replaces every process by another of the same data, one after the other, as an upgrade does: a
// coordinator when the one before is back, a worker once the one before has joined the job.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.submitWhen(2, "spec.training.epochs", "40")
	c.WaitMembers(id, 2)
	for i, p := range c.seats {
		p.Stop()
		c.StartCoordinator(i)
		c.caughtUp(i)
	}
	for _, p := range c.Workers()[:2] {
		p.Stop()
		c.WaitMembers(id, 1)
		c.AddWorker()
		c.WaitMembers(id, 2)
	}
	if j := c.WaitDone(id); j.ModelDigest != digestOf(t, digits(t, "spec.training.epochs", "40")) {
		t.Errorf("model digest %s is not that of an undisturbed run", j.ModelDigest)
	}
}

// caughtUp waits until a coordinator has applied what the leader had.
func (c *Cluster) caughtUp(i int) {
	c.t.Helper()
	leader, err := c.Client.GetStatus(c.context(), &lockstepv1.GetStatusRequest{Local: true})
	for alone, ctx := c.only(i), c.context(); err == nil; {
		var s *lockstepv1.ClusterStatus
		if s, err = alone.GetStatus(ctx, &lockstepv1.GetStatusRequest{Local: true}); err == nil && s.Leader != "" && s.AppliedIndex >= leader.AppliedIndex {
			return
		}
		after(pollEvery)
	}
	c.t.Fatalf("%s does not catch up: %v", c.seats[i].Name, err)
}

func TestWorkerJoins(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 1})
	id := c.Submit(digits(t))
	c.WaitStep(id, midway)
	c.AddWorker()
	c.WaitMembers(id, 2)
	want(t, c.WaitDone(id).ModelDigest)
}

func TestWorkerStops(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	c.WaitStep(id, midway)
	c.Workers()[0].Stop()
	j := c.WaitMembers(id, 1)
	if g := j.Generation.Members[0].SegmentTo; g != j.MicroBatches {
		t.Errorf("the worker that stayed owns %d of %d segments", g, j.MicroBatches)
	}
	want(t, c.WaitDone(id).ModelDigest)
}

func TestWorkerFrozen(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 3})
	id := c.Submit(digits(t))
	c.WaitStep(id, midway)
	p := c.Workers()[2]
	p.Signal(syscall.SIGSTOP)
	c.WaitJob(id, "fewer members", func(j *lockstepv1.Job) bool { // two, unless another one was left out for being slow
		return len(j.Generation.GetMembers()) < 3 && j.Generation.Phase == lockstepv1.GenerationPhase_GENERATION_PHASE_RUNNING
	})
	p.Signal(syscall.SIGCONT)
	want(t, c.WaitDone(id).ModelDigest)
}

func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	c.WaitStep(id, midway)
	c.Leader().Kill()
	want(t, c.WaitDone(id).ModelDigest)
}

// TestLeaderStops ends the leader with SIGTERM: it hands leadership over and ends with success.
func TestLeaderStops(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	c.WaitStep(id, midway)
	old := c.Leader()
	old.Stop()
	if code := old.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the coordinator ended with code %d", code)
	}
	if now := c.Leader(); now.Name == old.Name {
		t.Errorf("%s still leads", now.Name)
	}
	want(t, c.WaitDone(id).ModelDigest)
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Coordinators: 1, Workers: 1})
	c.Leader()
	for _, p := range []struct{ program, address string }{{"coordinator", c.seats[0].Address}, {"worker", c.workers[0].Address}} {
		run := func() error {
			return exec.CommandContext(c.context(), Binary(t, p.program), "healthcheck", "--target", p.address).Run()
		}
		for run() != nil {
			if c.context().Err() != nil {
				t.Fatalf("%s is not healthy", p.program)
			}
		}
	}
	c.workers[0].Kill()
	if exec.CommandContext(c.context(), Binary(t, "worker"), "healthcheck", "--target", c.workers[0].Address).Run() == nil {
		t.Error("a killed worker is healthy")
	}
}

func TestLeaderAndWorkerKilled(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 3})
	id := c.Submit(digits(t))
	c.WaitStep(id, midway)
	c.Leader().Kill()
	c.Workers()[0].Kill()
	want(t, c.WaitDone(id).ModelDigest)
}

func TestAllWorkersKilled(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	c.WaitJob(id, "a checkpoint", func(j *lockstepv1.Job) bool { return len(j.Checkpoints) > 0 })
	c.KillWorkers()
	c.WaitJob(id, "its recovery", func(j *lockstepv1.Job) bool { return j.State == lockstepv1.JobState_JOB_STATE_RECOVERING })
	c.AddWorker()
	c.AddWorker()
	c.AddWorker()
	want(t, c.WaitDone(id).ModelDigest)
}

func TestWholeClusterKilled(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	c.WaitJob(id, "a checkpoint", func(j *lockstepv1.Job) bool { return len(j.Checkpoints) > 0 })
	c.KillCoordinators()
	c.KillWorkers()
	for i := range 3 {
		c.StartCoordinator(i)
	}
	c.AddWorker()
	want(t, c.WaitDone(id).ModelDigest)
}

// TestStorm kills a worker and starts another, again and again.
func TestStorm(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 3})
	id := c.Submit(digits(t))
	for i := range 4 {
		c.WaitStep(id, uint64(midway*(i+1)))
		c.Workers()[i].Kill()
		c.AddWorker()
	}
	j := c.WaitDone(id)
	want(t, j.ModelDigest)
	t.Log(fmt.Sprint(j.Generations), "generations")
}
