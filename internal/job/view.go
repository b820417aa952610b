package job

import (
	"math"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// View is a job as users read it: the JSON object that the command line and the coordinators' HTTP interface show.
type View struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	State       string `json:"state"`       // PENDING, RUNNING, RECOVERING, PAUSED, SUCCEEDED, FAILED or CANCELLED
	Reason      string `json:"reason"`      // for the state, in words
	Step        uint64 `json:"step"`        // steps done
	Epoch       uint32 `json:"epoch"`       // complete epochs
	Generation  uint64 `json:"generation"`  // number of the newest one; 0: none yet
	Generations uint32 `json:"generations"` // how many there have been
	Workers     int    `json:"workers"`     // members of the newest generation
	Parameters  uint64 `json:"parameters"`  // of the model; 0 until it is known
	ModelDigest string `json:"model_digest"`
	// SamplesPerSecond is training records over training wall time, without start-up, evaluation and the first steps.
	SamplesPerSecond float64 `json:"samples_per_second"`
	// Metrics are the newest values by name. What JSON cannot carry, a NaN or an infinity, is left out.
	Metrics    map[string]float64 `json:"metrics"`
	Checkpoint string             `json:"checkpoint"` // id of the newest committed one
}

// ViewOf shows a job.
func ViewOf(j *lockstepv1.Job) View {
	p := j.GetProgress()
	v := View{
		ID: j.GetId(), Name: j.GetName(), State: StateName(j.GetState()), Reason: j.GetReason(),
		Step: p.GetStep(), Epoch: p.GetEpoch(), Parameters: p.GetParameters(),
		Generation: j.GetGeneration().GetNumber(), Generations: j.GetGenerations(),
		Workers:     len(j.GetGeneration().GetMembers()),
		ModelDigest: j.GetModelDigest(), SamplesPerSecond: rate(p), Metrics: valueMap(p.GetMetrics()),
	}
	if n := len(j.GetCheckpoints()); n > 0 {
		v.Checkpoint = j.Checkpoints[n-1].Id
	}
	return v
}

// rate is the training speed in records a second, rounded to a tenth; 0 where nothing was timed yet.
func rate(p *lockstepv1.Progress) float64 {
	if p.GetTimedSeconds() <= 0 {
		return 0
	}
	r := math.Round(float64(p.GetTimedRecords())/p.GetTimedSeconds()*10) / 10
	if math.IsInf(r, 0) || math.IsNaN(r) {
		return 0
	}
	return r
}
