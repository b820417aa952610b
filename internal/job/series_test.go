package job

import (
	"bytes"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

func evaluation(job string, g, step uint64) *lockstepv1.Command {
	c := progress(job, g, step)
	c.GetRecordProgress().Progress.Metrics = []*lockstepv1.Value{{Name: "val_loss", Value: 2}}
	return c
}

func TestSeriesGrowsAndIsThinned(t *testing.T) {
	m, g := ledgerMachine(t)
	const reports = 10 * maxPoints
	for i := uint64(1); i <= reports; i++ {
		m.do(progress("j", g, i))
		if i%100 == 0 {
			m.do(evaluation("j", g, i))
		}
		if n := len(m.Series("j").Points); n > maxPoints || i > maxPoints && n < maxPoints/4 {
			t.Fatalf("%d points after %d reports", n, i)
		}
	}
	points, evaluations := m.Series("j").Points, 0
	for i, p := range points {
		if i > 0 && p.Step < points[i-1].Step {
			t.Fatalf("point %d is of step %d, after %d", i, p.Step, points[i-1].Step)
		}
		if evaluated(p) {
			evaluations++
		}
	}
	if last := points[len(points)-1]; last.Step != reports || evaluations != reports/100 {
		t.Errorf("the last point is of step %d; %d evaluations, want %d", last.Step, evaluations, reports/100)
	}
	if v := SeriesViewOf(m.Series("j")); len(v) != len(points) || v[0].SamplesPerSecond != 20 {
		t.Errorf("%d points are shown, the first as %+v", len(v), v[0])
	}
}

func TestSeriesIsInASnapshot(t *testing.T) {
	m, g := ledgerMachine(t)
	m.do(progress("j", g, 3))
	var b bytes.Buffer
	if err := m.WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	back, err := ReadSnapshot(&b)
	if err != nil || back.Series("j") == nil || !proto.Equal(back.Series("j"), m.Series("j")) {
		t.Fatalf("series after a snapshot: %v, %v", back.Series("j"), err)
	}
}

// TestManyEvaluationsAreThinnedToo: nothing but evaluations still stays within the bound.
func TestManyEvaluationsAreThinnedToo(t *testing.T) {
	m, g := ledgerMachine(t)
	for i := uint64(1); i <= 5*maxPoints; i++ {
		m.do(evaluation("j", g, i))
	}
	if n := len(m.Series("j").Points); n > maxPoints || n < maxPoints/4 {
		t.Errorf("%d points", n)
	}
}

// TestPhasesOfAMeanStep has a point tell where the time of a mean step since the last one went, and the job that of all.
func TestPhasesOfAMeanStep(t *testing.T) {
	v := phasesViewOf(&lockstepv1.Phases{Compute: 6, Wait: 2, Reduce: 1, Update: 1, Steps: 2})
	if want := (PhasesView{Compute: 3, Wait: 1, Reduce: 0.5, Update: 0.5}); v == nil || *v != want {
		t.Errorf("phases of a mean step %v, want %v", v, want)
	}
	for _, p := range []*lockstepv1.Phases{nil, {}, {Compute: math.Inf(1), Steps: 1}} {
		if v := phasesViewOf(p); v != nil {
			t.Errorf("phases %v of %v, want none", v, p)
		}
	}
	sum := addPhases(&lockstepv1.Phases{Compute: 1, Steps: 1}, addPhases(nil, &lockstepv1.Phases{Compute: 2, Update: 1, Steps: 3}))
	if sum.Compute != 3 || sum.Update != 1 || sum.Steps != 4 || addPhases(nil, nil) != nil {
		t.Errorf("sum of phases %v", sum)
	}
}
