package job

import lockstepv1 "lockstep/api/lockstep/v1"

// PhasesView is where the time of a step goes at a job's first worker, in seconds of a mean step.
type PhasesView struct {
	Compute float64 `json:"compute"` // its own micro-batches
	Wait    float64 `json:"wait"`    // then blocked for other members
	Reduce  float64 `json:"reduce"`  // then moving and adding sums
	Update  float64 `json:"update"`  // the rest
}

func phasesViewOf(p *lockstepv1.Phases) *PhasesView {
	n := float64(p.GetSteps())
	v := &PhasesView{Compute: p.GetCompute() / n, Wait: p.GetWait() / n, Reduce: p.GetReduce() / n, Update: p.GetUpdate() / n}
	if sum := v.Compute + v.Wait + v.Reduce + v.Update; sum-sum != 0 { // no steps, or what JSON cannot carry
		return nil
	}
	return v
}

// addPhases adds sums of steps' phases, either of which may be nil.
func addPhases(a, b *lockstepv1.Phases) *lockstepv1.Phases {
	if a == nil && b == nil {
		return nil
	}
	return &lockstepv1.Phases{Compute: a.GetCompute() + b.GetCompute(), Wait: a.GetWait() + b.GetWait(), Reduce: a.GetReduce() + b.GetReduce(),
		Update: a.GetUpdate() + b.GetUpdate(), Steps: a.GetSteps() + b.GetSteps()}
}
