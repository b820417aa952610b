package testcluster

import (
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// Gradients of targets that nobody has normalised are a million times larger than others. Scales follow them, and hardly
// a step is redone.
func TestRawTargets(t *testing.T) {
	t.Parallel()
	var done []*lockstepv1.Job
	for _, workers := range []int{1, 2} {
		c := Start(t, Options{Coordinators: 1, Workers: workers})
		done = append(done, c.WaitDone(c.Submit(Spec(t, "examples/iris-scaled.yaml"))))
	}
	for _, j := range done {
		p := j.Progress
		if j.ModelDigest != done[0].ModelDigest {
			t.Errorf("digests %s and %s", j.ModelDigest, done[0].ModelDigest)
		}
		if p.Redone > 5 {
			t.Errorf("%d of %d steps were redone", p.Redone, p.Step)
		}
		if p.Redone != done[0].Progress.Redone {
			t.Errorf("redone %d times and %d times", p.Redone, done[0].Progress.Redone)
		}
		for _, m := range p.Metrics {
			if m.Name == "test_r2" && !(m.Value > 0.95) {
				t.Errorf("test_r2 %v", m.Value)
			}
		}
		t.Logf("%d of %d steps redone", p.Redone, p.Step)
	}
}
