package testcluster

import (
	"bytes"
	"path/filepath"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/chaos"
	"lockstep/internal/ckpt"
	"lockstep/internal/client"
)

// TestCorruptChunk damages the newest checkpoint on all coordinators but one while everything is down: what they have is
// set aside, with an alert, and mended.
func TestCorruptChunk(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	_, chunk := c.stopWithCheckpoints(id, 2)
	c.damage(chunk, 0, 1)
	c.restart(2)
	c.readEverywhere(chunk)
	done := c.WaitDone(id)
	c.waitEvent(id, "alert")
	want(t, done.ModelDigest)
	if len(done.SetAside) > 0 {
		t.Errorf("set aside are %v", done.SetAside)
	}
}

// TestTornCheckpoint damages the newest checkpoint on every coordinator: it is set aside, with an alert, and the job
// resumes from the one before.
func TestTornCheckpoint(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	j, chunk := c.stopWithCheckpoints(id, 2)
	c.damage(chunk, 0, 1, 2)
	c.restart(2)
	done := c.WaitDone(id)
	want(t, done.ModelDigest)
	if newest := j.Checkpoints[len(j.Checkpoints)-1].Id; len(done.SetAside) != 1 || done.SetAside[0].Id != newest {
		t.Errorf("set aside are %v, want %s alone", done.SetAside, newest)
	}
	c.waitEvent(id, "alert")
}

// stopWithCheckpoints kills all workers as soon as a job has so many checkpoints, and all coordinators. It returns
// the job and the first chunk of its newest checkpoint.
func (c *Cluster) stopWithCheckpoints(id string, n int) (j *lockstepv1.Job, chunk []byte) {
	c.t.Helper()
	c.WaitJob(id, "checkpoints", func(j *lockstepv1.Job) bool { return len(j.Checkpoints) >= n })
	c.KillWorkers()
	j = c.WaitJob(id, "its recovery", func(j *lockstepv1.Job) bool { return j.State == lockstepv1.JobState_JOB_STATE_RECOVERING })
	r, err := c.Client.GetChunk(c.context(), &lockstepv1.GetChunkRequest{Hash: j.Checkpoints[len(j.Checkpoints)-1].Chunks[0]})
	if err != nil {
		c.t.Fatal(err)
	}
	c.KillCoordinators()
	return j, r.Data
}

// restart starts all coordinators again, and new workers.
func (c *Cluster) restart(workers int) {
	c.t.Helper()
	for i := range c.seats {
		c.StartCoordinator(i)
	}
	for range workers {
		c.AddWorker()
	}
}

// readEverywhere reads a chunk from every coordinator.
func (c *Cluster) readEverywhere(want []byte) {
	c.t.Helper()
	h := ckpt.HashOf(want)
	for _, p := range c.seats {
		one, err := client.Dial([]string{p.Address})
		if err != nil {
			c.t.Fatal(err)
		}
		r, err := one.GetChunk(c.context(), &lockstepv1.GetChunkRequest{Hash: h[:]})
		if err != nil || !bytes.Equal(r.Data, want) {
			c.t.Errorf("chunk from %s: %d bytes, %v", p.Name, len(r.GetData()), err)
		}
		if err := one.Close(); err != nil {
			c.t.Error(err)
		}
	}
}

// damage flips a bit of a chunk in the files of coordinators.
func (c *Cluster) damage(chunk []byte, seats ...int) {
	c.t.Helper()
	for _, i := range seats {
		if err := chaos.FlipBit(filepath.Join(c.dir, c.seats[i].Name, "chunks.db"), chunk); err != nil {
			c.t.Fatal(err)
		}
	}
}
