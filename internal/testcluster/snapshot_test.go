package testcluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// cli runs the command line against a cluster, and returns its exit code and what it printed.
func (c *Cluster) cli(args ...string) (int, string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.context(), Binary(c.t, "lockstep"), append(args, "--addr", strings.Join(c.Addresses(), ","))...)
	out, _ := cmd.CombinedOutput() // how it ended is in the code
	return cmd.ProcessState.ExitCode(), string(out)
}

// TestSnapshotRestoredElsewhere: a cluster that knows nothing goes on where the saved one was.
func TestSnapshotRestoredElsewhere(t *testing.T) {
	t.Parallel()
	old := Start(t, Options{Workers: 2})
	done := old.submitAs("done", digits(t, "metadata.name", "done", "spec.training.epochs", "2"))
	result := old.WaitDone(done)
	running := old.submitAs("running", digits(t, "metadata.name", "running"))
	old.WaitJob(running, "a checkpoint", func(j *lockstepv1.Job) bool { return len(j.Checkpoints) > 0 })
	file := filepath.Join(t.TempDir(), "cluster.snapshot")
	if code, out := old.cli("cluster", "snapshot", "save", file); code != 0 {
		t.Fatalf("save: code %d\n%s", code, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	old.stop()

	c := Start(t, Options{Workers: 1})
	c.Leader()
	for i, at := range []int{len(data) / 3, len(data) - 50} {
		bad := append([]byte(nil), data...)
		bad[at] ^= 4
		damaged := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(damaged, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if code, out := c.cli("cluster", "snapshot", "restore", damaged); code != 7 {
			t.Errorf("damaged file %d: code %d, want 7\n%s", i, code, out)
		}
	}
	if code, out := c.cli("cluster", "snapshot", "restore", file, "-o", "json"); code != 0 || !strings.Contains(out, `"jobs": 2,`) {
		t.Fatalf("restore: code %d\n%s", code, out)
	}
	want(t, c.WaitDone(running).ModelDigest)
	got := c.job(done)
	if got.ModelDigest != result.ModelDigest {
		t.Errorf("digest %s after the restoration, %s before", got.ModelDigest, result.ModelDigest)
	}
	c.readCheckpoint(got)
}

func TestLeadershipIsTransferred(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	c.WaitStep(id, midway)
	to := c.seats[0]
	if c.Leader() == to {
		to = c.seats[1]
	}
	if code, out := c.cli("cluster", "transfer-leader", "--to", to.Name); code != 0 {
		t.Fatalf("code %d\n%s", code, out)
	}
	if now := c.Leader(); now != to {
		t.Errorf("%s leads, want %s", now.Name, to.Name)
	}
	if code, _ := c.cli("cluster", "transfer-leader", "--to", "nobody"); code != 5 {
		t.Errorf("to nobody: code %d, want 5", code)
	}
	want(t, c.WaitDone(id).ModelDigest)
}
