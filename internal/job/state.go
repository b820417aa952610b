package job

import (
	"maps"
	"slices"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// Limits on what is remembered. They are part of the state machine: equal on every replica.
const (
	maxRequests = 4096  // results of requests kept for retries
	maxEvents   = 10000 // acknowledged events kept for readers
)

// State is the replicated state. The zero State is not useful: call New. It is not safe for concurrent use; the
// records that it gives out are.
type State struct {
	index        uint64 // raft index of the last command applied
	coordinators map[string]*lockstepv1.Coordinator
	workers      map[string]*lockstepv1.Worker
	jobs         map[string]*lockstepv1.Job
	ledgers      map[string]*lockstepv1.Ledger     // by job
	series       map[string]*lockstepv1.Series     // by job
	quarantine   map[string]*lockstepv1.Quarantine // by address of workers
	flaps        map[string]*lockstepv1.Flapping   // by address of workers
	datasets     map[string]*lockstepv1.Dataset    // by datasetKey
	tokens       map[string]*lockstepv1.Token      // by id
	order        []string                          // job ids in order of submission
	memberOf     map[string]string                 // worker -> job of which it is a member now; derived from jobs
	events       []*lockstepv1.Event
	nextEvent    uint64 // sequence number of the next event
	ackedEvent   uint64 // all up to this one are on NATS
	requests     map[string]*lockstepv1.Result
	requestOrder []string
}

// New returns the empty state.
func New() *State {
	return &State{
		coordinators: map[string]*lockstepv1.Coordinator{},
		workers:      map[string]*lockstepv1.Worker{},
		jobs:         map[string]*lockstepv1.Job{},
		ledgers:      map[string]*lockstepv1.Ledger{},
		quarantine:   map[string]*lockstepv1.Quarantine{},
		series:       map[string]*lockstepv1.Series{},
		flaps:        map[string]*lockstepv1.Flapping{},
		datasets:     map[string]*lockstepv1.Dataset{},
		memberOf:     map[string]string{},
		tokens:       map[string]*lockstepv1.Token{},
		requests:     map[string]*lockstepv1.Result{},
		nextEvent:    1,
	}
}

// Clone returns a state that later commands to s do not change. It costs a copy of the tables.
func (s *State) Clone() *State {
	c := *s
	c.coordinators = maps.Clone(s.coordinators)
	c.workers = maps.Clone(s.workers)
	c.jobs = maps.Clone(s.jobs)
	c.ledgers = maps.Clone(s.ledgers)
	c.quarantine = maps.Clone(s.quarantine)
	c.series = maps.Clone(s.series)
	c.order = slices.Clone(s.order)
	c.tokens = maps.Clone(s.tokens)
	c.flaps = maps.Clone(s.flaps)
	c.datasets = maps.Clone(s.datasets)
	c.memberOf = maps.Clone(s.memberOf)
	c.events = slices.Clone(s.events)
	c.requests = maps.Clone(s.requests)
	c.requestOrder = slices.Clone(s.requestOrder)
	return &c
}

// Index is the raft index of the last command applied.
func (s *State) Index() uint64 { return s.index }

// Coordinator returns a coordinator by id, or nil.
func (s *State) Coordinator(id string) *lockstepv1.Coordinator { return s.coordinators[id] }

// Coordinators returns all coordinators, sorted by id.
func (s *State) Coordinators() []*lockstepv1.Coordinator { return sorted(s.coordinators) }

// Worker returns a worker by id, or nil.
func (s *State) Worker(id string) *lockstepv1.Worker { return s.workers[id] }

// Workers returns all workers, sorted by id.
func (s *State) Workers() []*lockstepv1.Worker { return sorted(s.workers) }

// JobOf returns the job of which a worker is a member now, or nil.
func (s *State) JobOf(worker string) *lockstepv1.Job { return s.jobs[s.memberOf[worker]] }

// Job returns a job by id or else the newest one of that name, or nil.
func (s *State) Job(idOrName string) *lockstepv1.Job {
	if j := s.jobs[idOrName]; j != nil {
		return j
	}
	for _, id := range slices.Backward(s.order) {
		if j := s.jobs[id]; j.Name == idOrName {
			return j
		}
	}
	return nil
}

// Jobs returns all jobs in order of submission.
func (s *State) Jobs() []*lockstepv1.Job {
	jobs := make([]*lockstepv1.Job, 0, len(s.order))
	for _, id := range s.order {
		jobs = append(jobs, s.jobs[id])
	}
	return jobs
}

// EventsAfter returns the events kept whose sequence number is above after.
func (s *State) EventsAfter(after uint64) []*lockstepv1.Event {
	if len(s.events) == 0 || after >= s.nextEvent-1 {
		return nil
	}
	first := s.events[0].Sequence
	if after < first {
		return slices.Clone(s.events)
	}
	return slices.Clone(s.events[after-first+1:])
}

// AckedEvent is the sequence number up to which events are known to be on NATS.
func (s *State) AckedEvent() uint64 { return s.ackedEvent }

// Ended reports whether a job's state is final.
func Ended(state lockstepv1.JobState) bool {
	return state == lockstepv1.JobState_JOB_STATE_SUCCEEDED || state == lockstepv1.JobState_JOB_STATE_FAILED ||
		state == lockstepv1.JobState_JOB_STATE_CANCELLED
}

func sorted[V any](m map[string]V) []V {
	out := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}
