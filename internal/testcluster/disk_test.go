package testcluster

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
)

// TestFullDisk fills the coordinators' disk under a running job: the checkpoint fails with an alert, training goes on,
// earlier checkpoints stay readable, and when there is room again the job ends as if nothing had been.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Skipf("a small disk cannot be mounted here (%v): this test needs root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	c := Start(t, Options{Workers: 2, Dir: dir})
	id := c.Submit(digits(t, "spec.model.layers.0.units", "512", "spec.training.epochs", "30", "spec.checkpoint.every", "{epochs: 1}"))
	c.WaitJob(id, "a checkpoint", func(j *lockstepv1.Job) bool { return len(j.Checkpoints) > 0 })
	filler := filepath.Join(dir, "filler")
	fill(t, dir, filler, 32<<20)
	c.waitEvent(id, "alert")
	j := c.WaitStep(id, c.job(id).Progress.GetStep()+1)
	c.readCheckpoint(j)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	j = c.WaitDone(id)
	if want := digestOf(t, digits(t, "spec.model.layers.0.units", "512", "spec.training.epochs", "30")); j.ModelDigest != want {
		t.Errorf("digest %s, want that of an undisturbed run, %s", j.ModelDigest, want)
	}
}

// fill writes a file that leaves so many bytes of the disk free.
func fill(t *testing.T, dir, file string, leave int64) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(s.Bavail)*s.Bsize-leave); err != nil {
		t.Fatal(err)
	}
}

// waitEvent waits for an event of a job whose subject ends with kind.
func (c *Cluster) waitEvent(id, kind string) *lockstepv1.Event {
	c.t.Helper()
	stream, err := c.Client.WatchEvents(c.context(), &lockstepv1.WatchEventsRequest{Job: id, Follow: true})
	if err != nil {
		c.t.Fatal(err)
	}
	for {
		e, err := stream.Recv()
		if err != nil {
			c.t.Fatalf("waited in vain for an event %q: %v", kind, err)
		}
		if strings.HasSuffix(e.Subject, "."+kind) {
			return e
		}
	}
}

func (c *Cluster) job(id string) *lockstepv1.Job {
	c.t.Helper()
	j, err := c.Client.GetJob(c.context(), &lockstepv1.GetJobRequest{Job: id})
	if err != nil {
		c.t.Fatal(err)
	}
	return j
}

// readCheckpoint reads a job's newest checkpoint, whole.
func (c *Cluster) readCheckpoint(j *lockstepv1.Job) {
	c.t.Helper()
	k := j.Checkpoints[len(j.Checkpoints)-1]
	for _, b := range k.Chunks {
		r, err := c.Client.GetChunk(c.context(), &lockstepv1.GetChunkRequest{Hash: b})
		if err != nil {
			c.t.Fatalf("chunk of %s: %v", k.Id, err)
		}
		if h := ckpt.HashOf(r.Data); string(h[:]) != string(b) {
			c.t.Fatalf("chunk of %s has hash %s", k.Id, h)
		}
	}
}
