package ringtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"lockstep/internal/ring"
	"lockstep/internal/ring/memlink"
)

// badJob is what the rings of Refusals work for.
const (
	badJob        = "job"
	badGeneration = 3
)

// pair returns the rings of two members of a job's generation.
func (h Harness) pair(t testing.TB, links []ring.Link, job string, generation uint64) (rings [2]*ring.Ring) {
	t.Helper()
	for i := range rings {
		var err error
		if rings[i], err = ring.New(ring.Config{Rank: i, World: 2, Job: job, Generation: generation, Link: links[i],
			Packing: h.Packing, Timeout: func() time.Duration { return 30 * time.Second }}); err != nil {
			t.Fatal(err)
		}
	}
	return rings
}

// record returns the first frame that member 0 of such a pair sends to member 1 in an operation.
func (h Harness) record(t testing.TB, job string, generation uint64, op ring.Op, words int) *ring.Frame {
	t.Helper()
	var links []ring.Link
	for _, l := range memlink.New(2, 0) {
		links = append(links, l)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go h.pair(t, links, job, generation)[0].AllReduceInt64(ctx, op, make([]int64, words))
	f, err := links[1].Recv(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &ring.Frame{Parts: [][]byte{append([]byte(nil), f.Parts[0]...)}}
}

// Refusals lets a member send what does not belong where it comes: each is counted, and either dropped, so that the
// operation goes on, or it ends the operation with an error that names the sender.
func (h Harness) Refusals(t *testing.T) {
	h.foreign(t)
	h.unexpected(t)
}

func (h Harness) foreign(t *testing.T) {
	op := ring.Op{Step: 5, Attempt: 1, Bucket: 2}
	own := func(op ring.Op) *ring.Frame { return h.record(t, badJob, badGeneration, op, 3) }
	for _, c := range []struct {
		name  string
		frame *ring.Frame
		count func(ring.Stats) uint64
	}{
		{"another job", h.record(t, "other", badGeneration, op, 3), func(s ring.Stats) uint64 { return s.WrongJob }},
		{"an earlier generation", h.record(t, badJob, badGeneration-1, op, 3), func(s ring.Stats) uint64 { return s.WrongGeneration }},
		{"a later generation", h.record(t, badJob, badGeneration+1, op, 3), func(s ring.Stats) uint64 { return s.WrongGeneration }},
		{"an earlier step", own(ring.Op{Step: 4, Attempt: 9, Bucket: 9}), func(s ring.Stats) uint64 { return s.Stale }},
		{"an earlier attempt", own(ring.Op{Step: 5, Attempt: 0, Bucket: 9}), func(s ring.Stats) uint64 { return s.Stale }},
		{"an earlier bucket", own(ring.Op{Step: 5, Attempt: 1, Bucket: 1}), func(s ring.Stats) uint64 { return s.Stale }},
	} {
		links := h.Links(t, 2)
		rings := h.pair(t, links, badJob, badGeneration)
		if err := links[0].Send(t.Context(), 1, c.frame); err != nil {
			t.Fatal(err)
		}
		Exchange(t, rings[:], op, 3)
		if s := rings[1].Stats(); c.count(s) != 1 {
			t.Errorf("frame of %s: %+v", c.name, s)
		}
	}
}

func (h Harness) unexpected(t *testing.T) {
	op := ring.Op{Step: 5}
	own := func(op ring.Op, words int) *ring.Frame { return h.record(t, badJob, badGeneration, op, words) }
	damaged := func(at int) *ring.Frame {
		f := own(op, 3)
		f.Parts[0][at] ^= 1
		return f
	}
	strange := func(s ring.Stats) uint64 { return s.Unexpected }
	corrupt := func(s ring.Stats) uint64 { return s.Corrupt }
	for _, c := range []struct {
		name  string
		frame *ring.Frame
		err   error
		count func(ring.Stats) uint64
	}{
		{"a later step", own(ring.Op{Step: 6}, 3), ring.ErrProtocol, strange},
		{"a later attempt", own(ring.Op{Step: 5, Attempt: 1}, 3), ring.ErrProtocol, strange},
		{"a later bucket", own(ring.Op{Step: 5, Bucket: 1}, 3), ring.ErrProtocol, strange},
		{"a longer vector", own(op, 4), ring.ErrProtocol, strange},
		{"a shorter vector", own(op, 2), ring.ErrProtocol, strange},
		{"a changed payload", damaged(ring.HeaderLen), ring.ErrCorrupt, corrupt},
		{"a changed header", damaged(24), ring.ErrCorrupt, corrupt},
		{"a changed checksum", damaged(4), ring.ErrCorrupt, corrupt},
		{"something else", &ring.Frame{Parts: [][]byte{make([]byte, 99)}}, ring.ErrCorrupt, corrupt},
	} {
		links := h.Links(t, 2)
		if err := links[0].Send(t.Context(), 1, c.frame); err != nil {
			t.Fatal(err)
		}
		r := h.pair(t, links, badJob, badGeneration)[1]
		err := r.AllReduceInt64(t.Context(), op, make([]int64, 3))
		var pe *ring.PeerError
		if !errors.As(err, &pe) || pe.Peer != 0 || pe.Step != 5 || pe.Generation != badGeneration || !errors.Is(err, c.err) {
			t.Errorf("frame of %s: %v", c.name, err)
		}
		if s := r.Stats(); c.count(s) != 1 {
			t.Errorf("frame of %s: %+v", c.name, s)
		}
		if again := r.AllReduceInt64(t.Context(), ring.Op{Step: 9}, nil); again != err {
			t.Errorf("frame of %s: the next operation has %v", c.name, again)
		}
	}
}
