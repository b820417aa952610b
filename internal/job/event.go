package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// The payloads of events, as JSON objects.
type (
	stateData struct {
		Name       string `json:"name"`
		State      string `json:"state"`
		Reason     string `json:"reason,omitempty"`
		Generation uint64 `json:"generation,omitempty"`
		Phase      string `json:"phase,omitempty"`
		Workers    int    `json:"workers"`
		Digest     string `json:"model_digest,omitempty"`
	}
	progressData struct {
		Step       uint64 `json:"step"`
		Epoch      uint32 `json:"epoch"`
		TotalSteps uint64 `json:"total_steps"`
		Workers    uint32 `json:"workers"`
	}
	metricData struct {
		Step    uint64             `json:"step"`
		Epoch   uint32             `json:"epoch"`
		Metrics map[string]float64 `json:"metrics"`
	}
	checkpointData struct {
		Checkpoint string `json:"checkpoint"`
		Step       uint64 `json:"step"`
		Epoch      uint32 `json:"epoch"`
		Size       int64  `json:"size"`
	}
	deletedData struct {
		Deleted string `json:"deleted"` // id
	}
	alertData struct {
		Reason string `json:"reason"`
	}
	workerData struct {
		State  string `json:"state"`
		Reason string `json:"reason,omitempty"`
	}
	datasetData struct {
		State string `json:"state"` // PUSHED or DELETED
		Root  string `json:"root"`
		Files uint64 `json:"files"`
		Size  int64  `json:"size"`
	}
	leaderData struct {
		Coordinator string `json:"coordinator"`
		Term        uint64 `json:"term"`
	}
)

// StateName is a job's state as users read it: RUNNING for JOB_STATE_RUNNING.
func StateName(s lockstepv1.JobState) string { return strings.TrimPrefix(s.String(), "JOB_STATE_") }

func (a *applying) stateData(j *lockstepv1.Job) stateData {
	g := j.Generation
	return stateData{
		Name: j.Name, State: StateName(j.State), Reason: j.Reason, Generation: g.GetNumber(),
		Phase:   strings.TrimPrefix(g.GetPhase().String(), "GENERATION_PHASE_"),
		Workers: len(g.GetMembers()), Digest: j.ModelDigest,
	}
}

// jobEvent records an event of a job; kind ends its subject.
func (a *applying) jobEvent(j *lockstepv1.Job, kind string, data any) {
	a.emit(j.Id, "lockstep.v1.job."+j.Id+"."+kind, "lockstep.job."+kind, data)
}

func (a *applying) workerEvent(id, state, reason string) {
	a.emit("", "lockstep.v1.worker."+id+".state", "lockstep.worker.state", workerData{State: state, Reason: reason})
}

// workerAlert tells of a worker that needs looking at.
func (a *applying) workerAlert(id, reason string) {
	a.emit("", "lockstep.v1.worker."+id+".alert", "lockstep.worker.alert", alertData{Reason: reason})
}

// emit appends an event to the log and drops acknowledged ones beyond what is kept.
func (a *applying) emit(job, subject, kind string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("job: encode %T: %v", data, err))
	}
	a.events = append(a.events, &lockstepv1.Event{
		Sequence: a.nextEvent, Index: a.index, TimeMs: a.now, Subject: subject, Type: kind, Job: job, Data: text,
	})
	a.nextEvent++
	a.trimEvents()
}

func (a *applying) ackEvents(c *lockstepv1.AckEvents) {
	a.ackedEvent = max(a.ackedEvent, min(c.Sequence, a.nextEvent-1))
	a.trimEvents()
}

func (s *State) trimEvents() {
	drop := 0
	for drop < len(s.events)-maxEvents && s.events[drop].Sequence <= s.ackedEvent {
		drop++
	}
	s.events = s.events[drop:]
}

// mergeValues returns the values of both lists, those of b first in doubt, sorted by name.
func mergeValues(a, b []*lockstepv1.Value) []*lockstepv1.Value {
	out := slices.Clone(b)
	for _, v := range a {
		if !slices.ContainsFunc(b, func(w *lockstepv1.Value) bool { return w.Name == v.Name }) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(x, y *lockstepv1.Value) int { return strings.Compare(x.Name, y.Name) })
	return out
}

func equalValue(x, y *lockstepv1.Value) bool { return x.Name == y.Name && x.Value == y.Value }

// valueMap is a list of values as a map; what JSON cannot carry (an infinity) is left out.
func valueMap(values []*lockstepv1.Value) map[string]float64 {
	m := make(map[string]float64, len(values))
	for _, v := range values {
		if v.Value-v.Value == 0 {
			m[v.Name] = v.Value
		}
	}
	return m
}
