package testcluster

import (
	"context"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/chaos"
)

// slow slows a process until the test ends or what it returns is called.
func (c *Cluster) slow(p *Process, factor int) (stop func()) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = chaos.SlowDown(ctx, p.cmd.Process.Pid, factor) // it ends with the process
	}()
	stop = func() {
		cancel()
		<-done
	}
	c.t.Cleanup(stop)
	return stop
}

// TestSlowWorker slows a worker to a tenth: it is found and left out, and the bits are the same. How fast the job is
// before, meanwhile and after is logged; it says something on a machine with a core for each worker, where
// LOCKSTEP_CAMPAIGN=stragglers wants twice the rate from then on.
func TestSlowWorker(t *testing.T) {
	c := Start(t, Options{Workers: 3, Undisturbed: true})
	id := c.submitWhen(3, "spec.model.layers.0.units", "512", "spec.training.epochs", "300")
	c.WaitStep(id, midway)
	before := c.rate(id)
	defer c.slow(c.Workers()[1], 10)()
	meanwhile := c.rate(id)
	begin := time.Now()
	j := c.WaitJob(id, "the slow worker being left out", func(j *lockstepv1.Job) bool { return len(j.Generation.GetLeftOut()) > 0 })
	t.Logf("found after %v: %s", time.Since(begin).Round(time.Millisecond), j.Generation.Cause)
	if len(j.Generation.LeftOut) != 1 {
		t.Errorf("left out are %v", j.Generation.LeftOut)
	}
	after := c.rate(id)
	t.Logf("%.0f steps/s, slowed %.0f, then %.0f", before, meanwhile, after)
	if campaign("stragglers") && after < 2*meanwhile {
		t.Errorf("%.0f steps/s with the slow worker, %.0f without", meanwhile, after)
	}
	got := c.WaitDone(id).ModelDigest
	if want := digestOf(t, digits(t, "spec.model.layers.0.units", "512", "spec.training.epochs", "300")); got != want {
		t.Errorf("digest %s, want that of an undisturbed run, %s", got, want)
	}
}

// rate measures how many steps a second a job makes, over a few reports.
func (c *Cluster) rate(id string) float64 {
	c.t.Helper()
	var first uint64
	var begin time.Time
	reports := 0
	j := c.WaitJob(id, "reports", func(j *lockstepv1.Job) bool {
		step := j.Progress.GetStep()
		if reports == 0 {
			first, begin = step, time.Now()
		}
		if reports == 0 || step > first {
			reports++
		}
		return reports > 3
	})
	return float64(j.Progress.GetStep()-first) / time.Since(begin).Seconds()
}
