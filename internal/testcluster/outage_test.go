package testcluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// outage is how long all coordinators are down; $LOCKSTEP_OUTAGE makes it longer.
func outage(t *testing.T) time.Duration {
	d, err := time.ParseDuration(os.Getenv("LOCKSTEP_OUTAGE"))
	if err != nil {
		return 4 * time.Second
	}
	return d
}

// TestAllCoordinatorsDown: the workers go on, and what they have to say arrives afterwards, none lost, none twice.
func TestAllCoordinatorsDown(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	c.WaitWorkers(2)
	id := c.Submit(digits(t, "spec.parallelism.workers", "{min: 2, max: 2}"))
	before := c.WaitStep(id, midway).Progress.Step
	c.KillCoordinators()
	<-time.After(outage(t))
	for i := range c.seats {
		c.StartCoordinator(i)
	}
	j := c.WaitJob(id, "a report", func(j *lockstepv1.Job) bool { return j.Progress.GetStep() > before })
	t.Logf("at step %d before, at %d after", before, j.Progress.Step)
	j = c.WaitDone(id)
	want(t, j.ModelDigest)
	if j.Generations != 1 && !strings.HasPrefix(j.Generation.Cause, "segments follow") { // which is no loss
		t.Errorf("%d generations: the outage broke the membership: %s", j.Generations, j.Generation.GetCause())
	}
	seen := map[string]int{}
	for _, e := range c.events(id) {
		if e.Type == "lockstep.job.metric" {
			seen[string(e.Data)]++
		}
	}
	for data, n := range seen {
		if n != 1 {
			t.Errorf("%d events %s", n, data)
		}
	}
	if len(seen) < epochs {
		t.Errorf("metrics of %d evaluations arrived, want those of all %d epochs", len(seen), epochs)
	}
}

// TestCoordinatorLosesItsDisk: it comes back empty and catches up, chunks included.
func TestCoordinatorLosesItsDisk(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	c.WaitJob(id, "a checkpoint", func(j *lockstepv1.Job) bool { return len(j.Checkpoints) > 0 })
	lost := 0
	if c.seats[lost] == c.Leader() {
		lost = 1
	}
	c.seats[lost].Kill()
	if err := os.RemoveAll(filepath.Join(c.dir, c.seats[lost].Name)); err != nil {
		t.Fatal(err)
	}
	c.StartCoordinator(lost)
	j := c.WaitDone(id)
	want(t, j.ModelDigest)
	alone := c.only(lost)
	hashes := j.Checkpoints[len(j.Checkpoints)-1].Chunks
	for ctx := c.context(); ; {
		r, err := alone.HasChunks(ctx, &lockstepv1.HasChunksRequest{Hashes: hashes})
		if err != nil {
			t.Fatalf("the coordinator that lost its disk: %v", err)
		}
		if all(r.Has) {
			break
		}
		after(pollEvery)
	}
	stream, err := alone.WatchJob(c.context(), &lockstepv1.GetJobRequest{Job: id}) // from its own copy
	for err == nil {
		var got *lockstepv1.Job
		if got, err = stream.Recv(); err == nil && got.ModelDigest == j.ModelDigest {
			return
		}
	}
	t.Fatalf("it never learned of the result: %v", err)
}

func all(list []bool) bool {
	for _, b := range list {
		if !b {
			return false
		}
	}
	return true
}
