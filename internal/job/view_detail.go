package job

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// Detail is all that there is to say of a job: its View and what lies behind it.
type Detail struct {
	View
	Labels      map[string]string `json:"labels,omitempty"`
	Submitted   time.Time         `json:"submitted,omitzero"`
	Started     time.Time         `json:"started,omitzero"`
	Finished    time.Time         `json:"finished,omitzero"`
	TotalSteps  uint64            `json:"total_steps"`
	TotalEpochs uint32            `json:"total_epochs"` // 0: the job counts steps
	WorkersMin  uint32            `json:"workers_min"`
	WorkersMax  uint32            `json:"workers_max"`
	Segments    uint32            `json:"micro_batches"`             // of a step, and segments of an epoch
	Phase       string            `json:"phase"`                     // of the newest generation: FORMING or RUNNING
	Cause       string            `json:"cause"`                     // why there is this generation, in words
	Priority    int32             `json:"priority"`                  // higher first
	QueuePlace  uint32            `json:"queue_position"`            // among the jobs that wait, from 1; 0: it does not wait
	Paused      bool              `json:"paused"`                    // by a user; RUNNING until its state is stored
	Members     []MemberView      `json:"members"`                   // in ring order
	History     []GenerationView  `json:"history"`                   // the last generations, oldest first
	Checkpoints []CheckpointView  `json:"checkpoints"`               // committed ones, oldest first
	SetAside    []CheckpointView  `json:"set_aside,omitempty"`       // those that turned out to be unreadable
	Initial     string            `json:"initial_weights,omitempty"` // SHA-256 of those that it began with, as a file
	RetryOf     string            `json:"retry_of,omitempty"`        // id of the job that it goes on with
	RetryFrom   string            `json:"retry_from,omitempty"`      // id of that job's checkpoint; empty: from the beginning
	SpecHash    string            `json:"spec_hash"`
	LedgerStep  uint64            `json:"ledger_step"` // of the newest record of the step ledger
	LedgerHead  string            `json:"ledger_head"` // its hash; empty: there is none yet
	Spec        json.RawMessage   `json:"spec,omitempty"`
}

// MemberView is a worker's part in a generation: the segments [SegmentFrom, SegmentTo).
type MemberView struct {
	Worker      string  `json:"worker"`
	Address     string  `json:"address"`
	SegmentFrom uint32  `json:"segment_from"`
	SegmentTo   uint32  `json:"segment_to"`
	Speed       float64 `json:"speed"` // micro-batches a second of pure computation; 0: not measured yet
}

// GenerationView is what is remembered of a generation.
type GenerationView struct {
	Number  uint64    `json:"number"`
	Cause   string    `json:"cause"` // in words
	Workers uint32    `json:"workers"`
	Formed  time.Time `json:"formed,omitzero"`
	Parks   bool      `json:"parks,omitempty"` // its members only stored the state
}

// CheckpointView is a committed checkpoint.
type CheckpointView struct {
	ID         string             `json:"id"`
	Step       uint64             `json:"step"`
	Epoch      uint32             `json:"epoch"`
	Generation uint64             `json:"generation"`
	Size       int64              `json:"size"` // bytes
	Chunks     int                `json:"chunks"`
	Created    time.Time          `json:"created,omitzero"`
	Metrics    map[string]float64 `json:"metrics"`
	Root       string             `json:"root"`             // SHA-256 over size and chunks
	Reason     string             `json:"reason,omitempty"` // why it was set aside
}

// DetailOf shows a job in full.
func DetailOf(j *lockstepv1.Job) Detail {
	g, p := j.GetGeneration(), j.GetProgress()
	d := Detail{
		View: ViewOf(j), Labels: j.GetLabels(),
		Submitted: unixMilli(j.GetSubmittedMs()), Started: unixMilli(j.GetStartedMs()), Finished: unixMilli(j.GetFinishedMs()),
		TotalSteps: p.GetTotalSteps(), TotalEpochs: p.GetTotalEpochs(),
		WorkersMin: j.GetWorkersMin(), WorkersMax: j.GetWorkersMax(), Segments: j.GetMicroBatches(),
		Cause: g.GetCause(), SpecHash: "sha256:" + hex.EncodeToString(j.GetSpecHash()), Spec: j.GetSpec(),
		Members: []MemberView{}, Checkpoints: []CheckpointView{}, History: []GenerationView{},
		Initial: j.GetInitial().GetId(), RetryOf: j.GetRetryOf(), RetryFrom: j.GetRetryFrom(),
		Priority: j.GetPriority(), QueuePlace: j.GetQueuePosition(), Paused: j.GetPaused(),
	}
	for _, r := range j.GetHistory() {
		d.History = append(d.History, GenerationView{Number: r.Number, Cause: r.Cause, Workers: r.Workers,
			Formed: unixMilli(r.FormedMs), Parks: r.Park != lockstepv1.JobState_JOB_STATE_UNSPECIFIED})
	}
	if len(j.GetLedgerHead()) > 0 {
		d.LedgerStep, d.LedgerHead = j.LedgerStep, "sha256:"+hex.EncodeToString(j.LedgerHead)
	}
	if g != nil {
		d.Phase = phaseName(g.Phase)
	}
	for _, m := range g.GetMembers() {
		d.Members = append(d.Members, MemberView{Worker: m.Worker, Address: m.Address, SegmentFrom: m.SegmentFrom, SegmentTo: m.SegmentTo, Speed: speedOf(p, m.Worker)})
	}
	for _, c := range j.GetCheckpoints() {
		d.Checkpoints = append(d.Checkpoints, CheckpointViewOf(c))
	}
	for _, c := range j.GetSetAside() {
		d.SetAside = append(d.SetAside, CheckpointViewOf(c))
	}
	return d
}

// CheckpointViewOf shows a checkpoint.
func CheckpointViewOf(c *lockstepv1.Checkpoint) CheckpointView {
	return CheckpointView{
		ID: c.Id, Step: c.Step, Epoch: c.Epoch, Generation: c.Generation, Size: c.Size, Chunks: len(c.Chunks),
		Created: unixMilli(c.CreatedMs), Metrics: valueMap(c.Metrics), Reason: c.SetAsideReason,
		Root: "sha256:" + hex.EncodeToString(c.Root),
	}
}

// speedOf is a worker's measured speed; 0: none yet.
func speedOf(p *lockstepv1.Progress, worker string) float64 {
	for _, v := range p.GetSpeeds() {
		if v.Name == worker && v.Value-v.Value == 0 {
			return v.Value
		}
	}
	return 0
}

func phaseName(p lockstepv1.GenerationPhase) string {
	return strings.TrimPrefix(p.String(), "GENERATION_PHASE_")
}

// unixMilli is a time of the state machine; its 0 is the zero Time.
func unixMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
