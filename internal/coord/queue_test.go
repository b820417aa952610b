package coord

import (
	"strings"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// why fails the test unless a job's reason has these words.
func (w *world) why(id string, words ...string) {
	w.t.Helper()
	for _, s := range words {
		if r := w.Job(id).Reason; !strings.Contains(r, s) {
			w.t.Errorf("the reason of %s is %q, want in it %q", id, r, s)
		}
	}
}

func TestElasticJobsShrinkToLetOthersInAndGrowBack(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2", "w3", "w4")
	w.submit("a", 1, 4)
	w.settle(view{})
	w.want("a RUNNING w1 w2 w3 w4")
	w.submit("b", 2, 2)
	w.settle(view{})
	w.want("a RUNNING w1 w2; b RUNNING w3 w4")
	w.why("a", "2 workers given to other jobs")
	w.cancel("b")
	w.settle(view{})
	w.want("a RUNNING w1 w2 w3 w4; b CANCELLED")
}

func TestHigherPriorityTakesTheWorkersOfLower(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2", "w3")
	w.submit("low", 2, 3)
	w.settle(view{})
	w.submit("equal", 2, 3)
	w.settle(view{})
	w.want("low RUNNING w1 w2 w3; equal PENDING") // no job makes way for its equal
	w.why("equal", "waits for 2 workers")
	w.submitAs("high", 5, 2, 2)
	w.settle(view{})
	w.want("low PENDING; equal PENDING; high RUNNING w1 w2")
	w.why("low", "makes way for job high of priority 5", "waits for 2 workers")
	if c := w.Job("low").Checkpoints; len(c) != 1 || c[0].Step != w.step-10 { // high began after that
		t.Errorf("checkpoints %v, want one of step %d", c, w.step-10)
	}
	if a, b := w.Job("low").QueuePosition, w.Job("equal").QueuePosition; a != 1 || b != 2 {
		t.Errorf("low is at place %d of the queue and equal at %d, want 1 and 2", a, b)
	}
	w.cancel("high")
	w.settle(view{})
	w.want("low RUNNING w1 w2 w3; equal PENDING; high CANCELLED")
}

func TestPauseStoresTheStateAndResumeGoesOn(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2")
	w.submit("a", 1, 2)
	w.submit("b", 1, 2)
	w.settle(view{})
	w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_PauseJob{PauseJob: &lockstepv1.PauseJob{Job: "a"}}})
	w.settle(view{})
	w.want("a PAUSED; b RUNNING w2 w1")
	if len(w.Job("a").Checkpoints) != 1 {
		t.Error("the state was not stored")
	}
	w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_ResumeJob{ResumeJob: &lockstepv1.ResumeJob{Job: "a"}}})
	w.settle(view{})
	w.want("a RUNNING w1; b RUNNING w2")
}

func TestScaleTakesEffectAtOnce(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2", "w3")
	w.submit("a", 1, 8)
	w.settle(view{})
	scale := func(least, most uint32) {
		w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_ScaleJob{ScaleJob: &lockstepv1.ScaleJob{Job: "a", WorkersMin: least, WorkersMax: most}}})
		w.settle(view{})
	}
	scale(1, 2)
	w.want("a RUNNING w1 w2")
	w.why("a", "at most 2 workers")
	scale(4, 4)
	w.want("a PENDING")
	w.why("a", "waits for 4 workers: there are 3")
	scale(3, 3)
	w.want("a RUNNING w1 w2 w3")
}

func TestDrainedWorkersLeaveNothingBehind(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2")
	w.submit("a", 1, 8)
	w.settle(view{})
	w.drain("w1", true)
	w.settle(view{})
	w.want("a RUNNING w2")
	w.why("a", "1 worker drained")
	w.drain("w2", true)
	w.settle(view{})
	w.want("a PENDING")
	w.why("a", "waits for 1 worker", "drain")
	if c := w.Job("a").Checkpoints; len(c) != 1 {
		t.Errorf("checkpoints %v: the last worker left without storing the state", c)
	}
	w.drain("w1", false)
	w.settle(view{})
	w.want("a RUNNING w1")
}

// The only one that has the state drains while another is free: the state is stored first.
func TestAStateIsHandedOverThroughACheckpoint(t *testing.T) {
	w := newWorld(t)
	w.add("w1")
	w.submit("a", 1, 1)
	w.settle(view{})
	w.add("w2")
	w.drain("w1", true)
	w.settle(view{})
	w.want("a RUNNING w2")
	if c := w.Job("a").Checkpoints; len(c) != 1 {
		t.Errorf("checkpoints %v: w2 began without w1's state", c)
	}
}

func TestFlappingWorkersWaitLongerEachTime(t *testing.T) {
	w := newWorld(t)
	w.submit("a", 1, 8)
	lose := func() (quarantine time.Duration) {
		w.add("w1")
		if until := w.Worker("w1").QuarantinedUntilMs; until > 0 {
			quarantine = time.UnixMilli(until).Sub(w.now)
		}
		w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_RemoveWorker{RemoveWorker: &lockstepv1.RemoveWorker{Worker: "w1", Lost: true}}})
		return quarantine
	}
	var last time.Duration
	for i := range 12 {
		q := lose()
		if i < 3 && q != 0 || i >= 3 && q == 0 || q < last || last > 0 && q != 2*last && q != 10*time.Minute {
			t.Fatalf("after %d losses it waits %v, before it was %v", i, q, last)
		}
		last = q
	}
	w.add("w1")
	w.settle(view{})
	w.want("a PENDING")
	w.why("a", "quarantine")
	alerts := 0
	for _, e := range w.EventsAfter(0) {
		if e.Type == "lockstep.worker.alert" {
			alerts++
		}
	}
	if alerts != 10 {
		t.Errorf("%d alerts, want one for each of 10 quarantines", alerts)
	}
	w.now = w.now.Add(11 * time.Minute)
	w.settle(view{})
	w.want("a RUNNING w1")
}
