package testcluster

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// campaign reports whether the environment asks for a long run: LOCKSTEP_CAMPAIGN=name.
func campaign(name string) bool { return os.Getenv("LOCKSTEP_CAMPAIGN") == name }

// TestDetection measures how long a job stands still when a worker is lost: from the signal to the report of the next
// generation's first step. LOCKSTEP_CAMPAIGN=detection takes 20 kills, and their median has to be below 300 ms and a
// step; the short form only has a bound that a busy machine keeps.
func TestDetection(t *testing.T) {
	kills, bound := 3, 10*time.Second
	if campaign("detection") {
		kills, bound = 20, 300*time.Millisecond
	}
	c := Start(t, Options{Workers: 3, Undisturbed: true})
	id := c.Submit(digits(t, "spec.training.epochs", "100000"))
	c.WaitStep(id, midway)
	step := time.Duration(float64(time.Second) / c.rate(id))
	var took []time.Duration
	for range kills {
		took = append(took, c.timeLoss(id, func(p *Process) { p.Kill() }))
		c.AddWorker()
		c.WaitJob(id, "a step of three", c.whole)
	}
	slices.Sort(took)
	t.Logf("a step takes %v; killed, the next one was reported after %v (median), all: %v", step, took[len(took)/2], took)
	if got := took[len(took)/2]; got > bound+step {
		t.Errorf("median %v, want at most %v and a step of %v", got, bound, step)
	}
	frozen := c.timeLoss(id, func(p *Process) { p.Signal(syscall.SIGSTOP) })
	t.Logf("frozen: %v", frozen)
	if campaign("detection") && frozen > 3*time.Second+bound {
		t.Errorf("a frozen worker stopped the job for %v, want at most its lease of 3s", frozen)
	}
}

// timeLoss takes a worker from a job and waits until a generation without it has made a step.
func (c *Cluster) timeLoss(id string, lose func(*Process)) time.Duration {
	c.t.Helper()
	j := c.WaitJob(id, "a step of three", c.whole)
	victim := c.newestAlive()
	updates := make(chan time.Duration, 1)
	began := make(chan time.Time, 1)
	watching := make(chan struct{})
	go func() {
		defer close(updates)
		stream, err := c.Client.WatchJob(c.context(), &lockstepv1.GetJobRequest{Job: id})
		if err != nil {
			return
		}
		for first := true; ; first = false {
			now, err := stream.Recv()
			if err != nil || job.Ended(now.State) {
				return
			}
			if first {
				close(watching)
			}
			if now.Generation.Number > j.Generation.Number && now.Progress.Workers == 2 {
				updates <- time.Since(<-began)
				return
			}
		}
	}()
	<-watching
	began <- time.Now()
	lose(victim)
	d, ok := <-updates
	if !ok {
		c.t.Fatal("the job did not go on")
	}
	return d
}

// whole reports whether the newest generation of a job has made a step with three workers.
func (c *Cluster) whole(j *lockstepv1.Job) bool {
	return j.Generation.Phase == lockstepv1.GenerationPhase_GENERATION_PHASE_RUNNING && len(j.Generation.Members) == 3 && j.Progress.Workers == 3
}

func (c *Cluster) newestAlive() *Process {
	for _, p := range slices.Backward(c.workers) {
		if p.Alive() {
			return p
		}
	}
	c.t.Fatal("no worker is alive")
	return nil
}
