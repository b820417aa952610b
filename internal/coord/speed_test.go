package coord

import (
	"strings"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// measure makes the speeds of a job's members known, as measured in its newest generation.
func (w *world) measure(id string, rates map[string]float64) view {
	v := view{speeds: map[string]speed{}}
	for worker, rate := range rates {
		v.speeds[worker] = speed{job: id, generation: w.Job(id).Generation.Number, rate: rate, measured: measureTime}
	}
	return v
}

func (w *world) segments(id string) (counts []uint32) {
	for _, m := range w.Job(id).Generation.Members {
		counts = append(counts, m.SegmentTo-m.SegmentFrom)
	}
	return counts
}

func newBalanceWorld(t *testing.T, least uint32) *world {
	w := newWorld(t)
	w.add("w1", "w2", "w3")
	w.submit("a", least, 8)
	w.settle(view{})
	return w
}

func TestSegmentsFollowSpeed(t *testing.T) {
	w := newBalanceWorld(t, 1)
	w.settle(w.measure("a", map[string]float64{"w1": 10, "w2": 10, "w3": 3}))
	w.want("a RUNNING w1 w2 w3")
	if got := w.segments("a"); got[2] != 1 {
		t.Errorf("segments %v, want 1 for the slow worker", got)
	}
}

func TestNoiseMovesNothing(t *testing.T) {
	w := newBalanceWorld(t, 1)
	before := w.Job("a").Generation.Number
	w.settle(w.measure("a", map[string]float64{"w1": 10, "w2": 8, "w3": 9}))
	short := w.measure("a", map[string]float64{"w1": 10, "w2": 1, "w3": 9})
	s := short.speeds["w2"]
	s.measured = measureTime / 2
	short.speeds["w2"] = s
	w.settle(short)
	if now := w.Job("a").Generation.Number; now != before {
		t.Errorf("generation %d became %d", before, now)
	}
	w.lose("w1")
	w.settle(short)
	w.want("a RUNNING w2 w3")
}

func TestAVerySlowWorkerIsLeftOutForAWhile(t *testing.T) {
	w := newBalanceWorld(t, 1)
	slow := w.measure("a", map[string]float64{"w1": 10, "w2": 1, "w3": 10})
	w.settle(slow)
	w.want("a RUNNING w1 w3")
	if cause := w.Job("a").Generation.Cause; !strings.Contains(cause, "worker w2 is left out") {
		t.Errorf("cause: %q", cause)
	}
	w.settle(slow)
	w.want("a RUNNING w1 w3")
	w.now = w.now.Add(leaveOutTime)
	w.settle(slow)
	w.want("a RUNNING w1 w3 w2")
	again := w.now
	w.settle(w.measure("a", map[string]float64{"w1": 10, "w2": 1, "w3": 10}))
	w.want("a RUNNING w1 w3")
	if until := time.UnixMilli(w.Job("a").Generation.LeftOut[0].UntilMs); until.Sub(again) < 2*leaveOutTime {
		t.Errorf("left out for %v the second time, want twice as long as the first", until.Sub(again))
	}
}

func TestASlowWorkerStaysWhereItIsNeeded(t *testing.T) {
	w := newBalanceWorld(t, 3)
	w.settle(w.measure("a", map[string]float64{"w1": 10, "w2": 1, "w3": 10}))
	w.want("a RUNNING w1 w2 w3")

	w = newBalanceWorld(t, 2)
	w.settle(w.measure("a", map[string]float64{"w1": 10, "w2": 1, "w3": 10}))
	w.want("a RUNNING w1 w3")
	w.lose("w1")
	w.settle(view{})
	w.want("a RUNNING w3 w2")
}

func TestALeftOutWorkerServesOtherJobs(t *testing.T) {
	w := newBalanceWorld(t, 1)
	w.settle(w.measure("a", map[string]float64{"w1": 10, "w2": 1, "w3": 10}))
	w.submit("b", 1, 8)
	w.settle(view{})
	w.want("a RUNNING w1 w3; b RUNNING w2")
}

// TestEvenSegmentsStayEven: who adds what decides the bits of a job whose sums are not exact.
func TestEvenSegmentsStayEven(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2")
	w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CreateJob{CreateJob: &lockstepv1.CreateJob{
		Job: &lockstepv1.Job{Id: "a", WorkersMin: 2, WorkersMax: 2, MicroBatches: 8, EvenSegments: true}}}})
	w.settle(view{})
	w.settle(w.measure("a", map[string]float64{"w1": 10, "w2": 1}))
	if got := w.segments("a"); got[0] != 4 || got[1] != 4 {
		t.Errorf("segments %v, want 4 each", got)
	}
}
