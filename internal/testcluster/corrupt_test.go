package testcluster

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// Bits are flipped in the memory of a worker that is otherwise well.

const flipped = "100" // the step after which it happens

// submitWhen submits the job once there are so many workers.
func (c *Cluster) submitWhen(workers int, set ...string) string {
	c.t.Helper()
	c.WaitWorkers(workers)
	return c.Submit(digits(c.t, set...))
}

// wantEvicted checks that a worker was named in an alert, that the address is in quarantine, and that the job went on
// without it to the same model and ledger.
func wantEvicted(t *testing.T, c *Cluster, id string, bad *Process) {
	t.Helper()
	j := c.WaitDone(id)
	want(t, j.ModelDigest)
	named := ""
	for _, e := range c.events(id) {
		if strings.HasSuffix(e.Subject, ".alert") && strings.Contains(string(e.Data), "is evicted") {
			named += string(e.Data)
		}
	}
	if !strings.Contains(named, " at "+bad.Address+" is evicted") || strings.Count(named, "is evicted") != 1 || !strings.Contains(named, "state after step "+flipped) {
		t.Errorf("alerts: %s; want one that names the worker at %s and step %s", named, bad.Address, flipped)
	}
	for _, m := range j.Generation.Members {
		if m.Address == bad.Address {
			t.Errorf("the worker at %s is still a member", bad.Address)
		}
	}
	ctx := c.context()
	for quarantined := false; !quarantined; {
		r, err := c.Client.ListWorkers(ctx, &lockstepv1.ListWorkersRequest{})
		if err != nil {
			t.Fatalf("list workers: %v", err)
		}
		for _, w := range r.Workers {
			quarantined = quarantined || w.Worker.Address == bad.Address && w.Worker.QuarantinedUntilMs > 0 && w.Job == ""
		}
		after(pollEvery)
	}
}

func TestBitFlippedOfThree(t *testing.T) {
	t.Parallel()
	for _, rank := range []int{0, 2} {
		t.Run(fmt.Sprint(rank), func(t *testing.T) {
			t.Parallel()
			c := Start(t, Options{})
			var bad *Process
			for i := range 3 {
				if i == rank {
					bad = c.AddWorker("--test-flip-bit", flipped)
					continue
				}
				c.AddWorker()
			}
			wantEvicted(t, c, c.submitWhen(3), bad)
		})
	}
}

// TestBitFlippedOfTwo: neither can say who is right. The steps since the last checkpoint are made again.
func TestBitFlippedOfTwo(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{})
	c.AddWorker()
	bad := c.AddWorker("--test-flip-bit", flipped)
	wantEvicted(t, c, c.submitWhen(2), bad)
}

// TestBitFlippedAlone: nobody notices, until the steps are made again.
func TestBitFlippedAlone(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Coordinators: 1, WorkerArgs: []string{"--test-flip-bit", flipped}})
	c.AddWorker()
	id := c.Submit(digits(t))
	c.WaitDone(id)
	verify := func(args ...string) (int, string) {
		cmd := exec.CommandContext(c.context(), Binary(t, "lockstep"), append([]string{"job", "verify", id, "--addr", c.Addresses()[0]}, args...)...)
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, out := verify(); code != 0 {
		t.Errorf("without a replay: code %d\n%s", code, out)
	}
	if code, out := verify("--replay", "1..96"); code != 0 {
		t.Errorf("replay of the steps before: code %d\n%s", code, out)
	}
	if code, out := verify("--replay", "90..110", "--workers", "2"); code != 7 || !strings.Contains(out, "at step 112 it gives") {
		t.Errorf("replay of the steps: code %d\n%s", code, out)
	}
}
