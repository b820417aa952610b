package job

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protodelim"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// A snapshot:
//
//	+----------------------+--------------------------------------------+
//	| "lockstep-state 1\n" | SnapshotRecord, SnapshotRecord, ... to EOF |   each with a varint length before it
//	+----------------------+--------------------------------------------+
const snapshotHeader = "lockstep-state 1\n"

const maxSnapshotRecord = 64 << 20

// ErrSnapshot marks a snapshot that cannot be read.
var ErrSnapshot = errors.New("not a readable snapshot")

// WriteSnapshot writes the whole state.
func (s *State) WriteSnapshot(w io.Writer) error {
	out := bufio.NewWriter(w)
	if _, err := out.WriteString(snapshotHeader); err != nil {
		return err
	}
	for r := range s.records {
		if _, err := protodelim.MarshalTo(out, r); err != nil {
			return fmt.Errorf("write snapshot record: %w", err)
		}
	}
	return out.Flush()
}

// records yields the state as snapshot records in a fixed order.
func (s *State) records(yield func(*lockstepv1.SnapshotRecord) bool) {
	meta := &lockstepv1.SnapshotMeta{Index: s.index, NextEvent: s.nextEvent, AckedEvent: s.ackedEvent}
	if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Meta{Meta: meta}}) {
		return
	}
	for _, c := range s.Coordinators() {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Coordinator{Coordinator: c}}) {
			return
		}
	}
	for _, w := range s.Workers() {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Worker{Worker: w}}) {
			return
		}
	}
	for _, q := range sorted(s.quarantine) {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Quarantine{Quarantine: q}}) {
			return
		}
	}
	for _, f := range sorted(s.flaps) {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Flapping{Flapping: f}}) {
			return
		}
	}
	for _, d := range sorted(s.datasets) {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Dataset{Dataset: d}}) {
			return
		}
	}
	for _, t := range s.Tokens() {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Token{Token: t}}) {
			return
		}
	}
	for _, j := range s.Jobs() {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Job{Job: j}}) {
			return
		}
	}
	for _, l := range sorted(s.ledgers) {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Ledger{Ledger: l}}) {
			return
		}
	}
	for _, p := range sorted(s.series) {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Series{Series: p}}) {
			return
		}
	}
	for _, e := range s.events {
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Event{Event: e}}) {
			return
		}
	}
	for _, id := range s.requestOrder {
		r := &lockstepv1.AppliedRequest{RequestId: id, Result: s.requests[id]}
		if !yield(&lockstepv1.SnapshotRecord{Record: &lockstepv1.SnapshotRecord_Request{Request: r}}) {
			return
		}
	}
}

// ReadSnapshot reads what WriteSnapshot wrote. Errors other than the reader's own match ErrSnapshot.
func ReadSnapshot(r io.Reader) (*State, error) {
	in := bufio.NewReader(r)
	header := make([]byte, len(snapshotHeader))
	if _, err := io.ReadFull(in, header); err != nil || string(header) != snapshotHeader {
		return nil, fmt.Errorf("%w: header %q", ErrSnapshot, header)
	}
	s := New()
	for n := 0; ; n++ {
		var rec lockstepv1.SnapshotRecord
		err := protodelim.UnmarshalOptions{MaxSize: maxSnapshotRecord}.UnmarshalFrom(in, &rec)
		if err == io.EOF && n > 0 {
			return s, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", ErrSnapshot, n, err)
		}
		if err := s.restore(&rec); err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", ErrSnapshot, n, err)
		}
	}
}

func (s *State) restore(rec *lockstepv1.SnapshotRecord) error {
	switch r := rec.Record.(type) {
	case *lockstepv1.SnapshotRecord_Meta:
		s.index, s.nextEvent, s.ackedEvent = r.Meta.Index, r.Meta.NextEvent, r.Meta.AckedEvent
	case *lockstepv1.SnapshotRecord_Coordinator:
		s.coordinators[r.Coordinator.Id] = r.Coordinator
	case *lockstepv1.SnapshotRecord_Worker:
		s.workers[r.Worker.Id] = r.Worker
	case *lockstepv1.SnapshotRecord_Flapping:
		s.flaps[r.Flapping.Address] = r.Flapping
	case *lockstepv1.SnapshotRecord_Dataset:
		s.datasets[datasetKey(r.Dataset.Name, r.Dataset.Root)] = r.Dataset
	case *lockstepv1.SnapshotRecord_Job:
		s.restoreJob(r.Job)
	case *lockstepv1.SnapshotRecord_Quarantine:
		s.quarantine[r.Quarantine.Address] = r.Quarantine
	case *lockstepv1.SnapshotRecord_Token:
		s.tokens[r.Token.Id] = r.Token
	case *lockstepv1.SnapshotRecord_Ledger:
		s.ledgers[r.Ledger.Job] = r.Ledger
	case *lockstepv1.SnapshotRecord_Series:
		s.series[r.Series.Job] = r.Series
	case *lockstepv1.SnapshotRecord_Event:
		s.events = append(s.events, r.Event)
	case *lockstepv1.SnapshotRecord_Request:
		s.requests[r.Request.RequestId] = r.Request.Result
		s.requestOrder = append(s.requestOrder, r.Request.RequestId)
	default:
		return fmt.Errorf("unknown record %T", r)
	}
	return nil
}

func (s *State) restoreJob(j *lockstepv1.Job) {
	if s.jobs[j.Id] == nil {
		s.order = append(s.order, j.Id)
	}
	s.jobs[j.Id] = j
	(&applying{State: s}).reindex(j)
}
