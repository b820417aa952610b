package testcluster

import (
	"fmt"
	"sync"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ledger"
)

// TestLedgerIsTheSame trains the same job undisturbed on one, two and three workers, and with a worker killed, all
// workers killed, and everything killed: the chain is the same, record by record.
func TestLedgerIsTheSame(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var reference string // under mu
	check := func(t *testing.T, c *Cluster, id string) {
		t.Helper()
		j := c.WaitDone(id)
		l, err := c.Client.GetLedger(c.context(), &lockstepv1.GetJobRequest{Job: id})
		if err != nil {
			t.Fatal(err)
		}
		total := int(j.Progress.TotalSteps)
		n := total / ledger.Every(total)
		if total%ledger.Every(total) != 0 {
			n++
		}
		if len(l.Chain) != n || j.LedgerStep != uint64(total) || string(j.LedgerHead) != string(l.Chain[n-1].Hash) {
			t.Fatalf("%d records, head at step %d; want %d records and step %d", len(l.Chain), j.LedgerStep, n, total)
		}
		text := fmt.Sprint(l.Fingerprint, l.Chain)
		mu.Lock()
		defer mu.Unlock()
		if reference == "" {
			reference = text
		}
		if text != reference {
			t.Errorf("the ledger differs:\n%s\n%s", text, reference)
		}
		want(t, j.ModelDigest)
	}
	for _, n := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			c := Start(t, Options{Coordinators: 1, Workers: n})
			check(t, c, c.Submit(digits(t)))
		})
	}
	t.Run("worker killed", func(t *testing.T) {
		t.Parallel()
		c := Start(t, Options{Workers: 3})
		id := c.Submit(digits(t))
		c.WaitStep(id, midway)
		c.Workers()[0].Kill()
		check(t, c, id)
	})
	t.Run("all killed", func(t *testing.T) {
		t.Parallel()
		c := Start(t, Options{Workers: 2})
		id := c.Submit(digits(t))
		c.WaitJob(id, "a checkpoint and a record after it", func(j *lockstepv1.Job) bool {
			return len(j.Checkpoints) > 0 && j.LedgerStep > j.Checkpoints[0].Step
		})
		c.KillCoordinators()
		c.KillWorkers()
		for i := range 3 {
			c.StartCoordinator(i)
		}
		c.AddWorker()
		check(t, c, id)
	})
}
