package optim

import (
	"math"
	"strings"
	"testing"

	"lockstep/internal/spec"
)

func schedules() []spec.LRScheduler {
	return []spec.LRScheduler{
		{Type: "constant"}, {Type: "step", StepSize: 5, Gamma: 0.5}, {Type: "multistep", Milestones: []int{7, 9}, Gamma: 0.1},
		{Type: "exponential", Gamma: 0.9}, {Type: "polynomial", Power: 2, MinLR: 0.01}, {Type: "linear"},
		{Type: "cosine", MinLR: 0.01}, {Type: "one_cycle", PctStart: 0.3}, {Type: "reduce_on_plateau", Factor: 0.5},
	}
}

func mustSchedule(t *testing.T, s spec.LRScheduler) *Schedule {
	t.Helper()
	c, err := NewSchedule(s, 0.5, 30)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// After a warm-up of w steps, step w+u has the rate that step u has without one in a job that is w steps shorter;
// milestones alone stay where they are. During the warm-up the rate rises in a line.
func TestWarmUpGoesWithEverySchedule(t *testing.T) {
	const w = 4
	for _, s := range schedules() {
		plain, err := NewSchedule(s, 0.5, 30-w)
		if err != nil {
			t.Fatal(err)
		}
		s.WarmupSteps = w
		warm := mustSchedule(t, s)
		p := warm.Start()
		for i := range w {
			if got, want := warm.Rate(i, p), plain.Rate(0, p)*float64(i+1)/w; math.Abs(got-want) > 1e-15 {
				t.Errorf("%s: rate %v in step %d of the warm-up, want %v", s.Type, got, i, want)
			}
		}
		for i := w; i < 30; i++ {
			u := i - w
			if s.Type == "multistep" {
				u = i
			}
			if got, want := warm.Rate(i, p), plain.Rate(u, p); got != want {
				t.Errorf("%s: rate %v in step %d, want %v", s.Type, got, i, want)
			}
		}
	}
}

func TestRatesPastTheEndStay(t *testing.T) {
	for _, s := range schedules()[4:8] {
		c := mustSchedule(t, s)
		last, later := c.Rate(30, c.Start()), c.Rate(300, c.Start())
		if last != later || math.IsNaN(last) || last < 0 {
			t.Errorf("%s: rate %v at the end, %v later", s.Type, last, later)
		}
	}
}

func TestPlateauState(t *testing.T) {
	c := mustSchedule(t, spec.LRScheduler{Type: "reduce_on_plateau", Factor: 0.5, Patience: 1, MinLR: 0.2, Mode: "max"})
	p := c.Start()
	for i, x := range []struct{ metric, lr float64 }{
		{math.NaN(), 0.5}, // never better
		{1, 0.5}, {1, 0.5}, {1, 0.25}, {2, 0.25}, {math.NaN(), 0.25}, {2, 0.2}, {0, 0.2}, {0, 0.2},
	} {
		if p = c.Observe(p, x.metric); p.LR != x.lr {
			t.Errorf("after report %d of %v: %+v, want the rate %v", i, x.metric, p, x.lr)
		}
	}
	if p.Best != 2 {
		t.Errorf("best is %v", p.Best)
	}
	other := mustSchedule(t, spec.LRScheduler{Type: "step", StepSize: 1, Gamma: 1})
	if q := other.Observe(p, 5); q != p {
		t.Errorf("a step schedule took a report: %+v", q)
	}
	if _, wants := other.Monitor(); wants {
		t.Error("a step schedule wants a metric")
	}
}

func TestWhatNewScheduleRefuses(t *testing.T) {
	for want, s := range map[string]spec.LRScheduler{
		`"cosin"`:      {Type: "cosin"},
		"step_size":    {Type: "step"},
		"factor":       {Type: "reduce_on_plateau"},
		"pct_start":    {Type: "one_cycle", PctStart: 2},
		"warmup_steps": {WarmupSteps: -1},
	} {
		if _, err := NewSchedule(s, 0.1, 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if _, err := NewSchedule(spec.LRScheduler{Type: "cosine"}, 0.1, 0); err == nil {
		t.Error("a cosine of no steps")
	}
}
