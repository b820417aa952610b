package testcluster

import (
	"os/exec"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// wantPoisoned checks that a job failed, and says where, with the command line's exit code.
func wantPoisoned(t *testing.T, c *Cluster, id string) {
	t.Helper()
	j := c.WaitJob(id, "its failure", func(j *lockstepv1.Job) bool { return j.State == lockstepv1.JobState_JOB_STATE_FAILED })
	for _, w := range []string{"step 50, micro-batch 3 fails on every worker that computes it", "records between", "digits.csv.gz"} {
		if !strings.Contains(j.Reason, w) {
			t.Errorf("reason %q, want %q in it", j.Reason, w)
		}
	}
	cmd := exec.CommandContext(c.context(), Binary(t, "lockstep"), "job", "wait", id, "--addr", strings.Join(c.Addresses(), ","))
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("exit code %d, want 3\n%s", cmd.ProcessState.ExitCode(), out)
	}
}

// TestPoison: a micro-batch ends every process that computes it. One goes before it is known where to look, and three
// more condemn it. Where they panic, they live, and two of them tell.
func TestPoison(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"kill", "panic"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			c := Start(t, Options{Workers: 5, WorkerArgs: []string{"--test-fail-at", "50:3:" + how}})
			wantPoisoned(t, c, c.submitWhen(5))
			alive := 0
			for _, w := range c.Workers() {
				if w.Alive() {
					alive++
				}
			}
			if want := map[string]int{"kill": 1, "panic": 5}[how]; alive != want {
				t.Errorf("%d processes are left, want %d", alive, want)
			}
		})
	}
}

// TestPoisonOneWorkerAtATime: nobody survives to tell which step it was; so each says what it computes for many steps.
func TestPoisonOneWorkerAtATime(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Coordinators: 1, WorkerArgs: []string{"--test-fail-at", "50:3:kill"}})
	c.AddWorker()
	id := c.Submit(digits(t))
	for range 3 {
		w := c.Workers()[len(c.Workers())-1]
		<-w.done
		c.AddWorker()
	}
	wantPoisoned(t, c, id)
}
