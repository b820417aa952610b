package job

import (
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// WorkerView is a worker as users read it.
type WorkerView struct {
	ID       string    `json:"id"`
	Address  string    `json:"address"`
	Cores    uint32    `json:"cores"`
	Job      string    `json:"job"`      // id of the job it works for; empty: idle
	Segments uint32    `json:"segments"` // that it owns
	Speed    float64   `json:"speed"`    // micro-batches a second of pure computation; 0: not measured yet
	State    string    `json:"state"`    // READY, DRAINING, DRAINED or QUARANTINED
	Until    time.Time `json:"quarantined_until,omitzero"`
	Joined   time.Time `json:"joined,omitzero"`
}

// WorkerViewOf shows a worker.
func WorkerViewOf(w *lockstepv1.WorkerStatus) WorkerView {
	v := WorkerView{
		State: "READY", ID: w.GetWorker().GetId(), Address: w.GetWorker().GetAddress(), Cores: w.GetWorker().GetCores(),
		Job: w.GetJob(), Segments: w.GetSegments(), Speed: w.GetSpeed(), Joined: unixMilli(w.GetWorker().GetJoinedMs()),
	}
	switch {
	case w.GetWorker().GetDraining() && v.Job != "":
		v.State = "DRAINING"
	case w.GetWorker().GetDraining():
		v.State = "DRAINED"
	case w.GetQuarantined():
		v.State, v.Until = "QUARANTINED", unixMilli(w.Worker.QuarantinedUntilMs)
	}
	return v
}

// ClusterView is the cluster as users read it.
type ClusterView struct {
	Leader       string            `json:"leader"` // id; empty: none is known
	Term         uint64            `json:"term"`
	CommitIndex  uint64            `json:"commit_index"`
	AppliedIndex uint64            `json:"applied_index"`
	AnsweredBy   string            `json:"answered_by"`
	Coordinators []CoordinatorView `json:"coordinators"`
	Workers      uint32            `json:"workers"`
	JobsRunning  uint32            `json:"jobs_running"`
	JobsPending  uint32            `json:"jobs_pending"`
}

// CoordinatorView is one raft replica.
type CoordinatorView struct {
	ID           string `json:"id"`
	Role         string `json:"role"`
	Reachable    bool   `json:"reachable"`
	Address      string `json:"address"`
	HTTPAddress  string `json:"http_address"`
	NATSURL      string `json:"nats_url"`
	AppliedIndex uint64 `json:"applied_index"`
}

// ClusterViewOf shows a cluster.
func ClusterViewOf(s *lockstepv1.ClusterStatus) ClusterView {
	v := ClusterView{
		Leader: s.GetLeader(), Term: s.GetTerm(), CommitIndex: s.GetCommitIndex(), AppliedIndex: s.GetAppliedIndex(),
		AnsweredBy: s.GetAnsweredBy(), Workers: s.GetWorkers(), JobsRunning: s.GetJobsRunning(), JobsPending: s.GetJobsPending(),
		Coordinators: []CoordinatorView{},
	}
	for _, c := range s.GetCoordinators() {
		v.Coordinators = append(v.Coordinators, CoordinatorView{
			ID: c.GetCoordinator().GetId(), Role: c.GetRole(), Reachable: c.GetReachable(), Address: c.GetCoordinator().GetAddress(),
			HTTPAddress: c.GetCoordinator().GetHttpAddress(), NATSURL: c.GetCoordinator().GetNatsUrl(), AppliedIndex: c.GetAppliedIndex(),
		})
	}
	return v
}
