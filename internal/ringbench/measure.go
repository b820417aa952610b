package ringbench

import (
	"context"
	"errors"
	"fmt"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/fixed"
	"lockstep/internal/ring"
	"lockstep/internal/ring/grpclink"
)

// Limits of a request.
const (
	maxValues  = 1 << 28
	maxRepeats = 1000
)

const (
	warmUps    = 3
	leastRuns  = 5   // of a repeat
	mostRuns   = 500 // likewise
	runsFor    = 2e7 // values in a repeat, between these bounds
	frameLimit = 60 * time.Second
)

// Measure is one member's part in a run. It returns what this member saw.
func Measure(ctx context.Context, links *grpclink.Server, r *lockstepv1.MeasureRingRequest) (*lockstepv1.MeasureRingResponse, error) {
	if err := check(r); err != nil {
		return nil, err
	}
	link, err := links.Open(ctx, grpclink.Config{Job: r.Run, Generation: 1, Rank: int(r.Rank), Peers: r.Peers})
	if err != nil {
		return nil, err
	}
	defer link.Close()
	algorithm, err := ring.ParseAlgorithm(r.Algorithm)
	if err != nil {
		return nil, err
	}
	m := &member{ctx: ctx, security: links.Security(), exact: r.Exact, repeats: int(r.Repeats)}
	if m.ring, err = ring.New(ring.Config{Rank: int(r.Rank), World: len(r.Peers), Job: r.Run, Generation: 1, Link: link,
		Packing: fixed.Packing{}, Algorithm: algorithm, Timeout: func() time.Duration { return frameLimit }}); err != nil {
		return nil, err
	}
	if m.bare, err = connectBare(ctx, m, r); err != nil {
		return nil, fmt.Errorf("bare TCP ring: %w", err)
	}
	defer m.bare.close()
	out := &lockstepv1.MeasureRingResponse{}
	for _, n := range r.Values {
		f, err := m.measure(int(n))
		if err != nil {
			return nil, err
		}
		out.Figures = append(out.Figures, f)
	}
	m.barrier() // nobody leaves while others still measure; that one leaves is its only error then
	return out, nil
}

func check(r *lockstepv1.MeasureRingRequest) error {
	switch {
	case r.Run == "":
		return errors.New("measure ring: the run has no name")
	case len(r.Peers) < 2 || int(r.Rank) >= len(r.Peers):
		return fmt.Errorf("measure ring: rank %d of %d members", r.Rank, len(r.Peers))
	case r.Repeats < 1 || r.Repeats > maxRepeats:
		return fmt.Errorf("measure ring: %d repeats", r.Repeats)
	}
	for _, n := range r.Values {
		if n < 1 || n > maxValues {
			return fmt.Errorf("measure ring: vector of %d values", n)
		}
	}
	return nil
}

// member is this process's end of a run.
type member struct {
	ctx      context.Context
	ring     *ring.Ring
	security grpclink.Security
	bare     *bare
	exact    bool
	repeats  int
	op       ring.Op
}

func (m *member) next() ring.Op {
	m.op.Step++
	return m.op
}

// barrier returns when all members have called it.
func (m *member) barrier() error { return m.ring.AllReduceInt64(m.ctx, m.next(), make([]int64, 1)) }

// measure times vectors of n values.
func (m *member) measure(n int) (*lockstepv1.RingFigure, error) {
	v := newVector(n)
	f := &lockstepv1.RingFigure{Values: uint64(n), Algorithm: m.ring.Chosen(n, m.exact).String()}
	reduce := func() error { return m.ring.AllReduceFloat32(m.ctx, m.next(), v.sum) }
	if m.exact {
		reduce = func() error { return m.ring.AllReduce(m.ctx, m.next(), v.sum, v.acc, v.convert) }
	}
	bare := func() error { return m.bare.reduce(v.sum) }
	if _, err := m.repeat(warmUps, func() { v.reset(m.exact) }, reduce); err != nil {
		return nil, err
	}
	if _, err := m.repeat(warmUps, func() { v.reset(false) }, bare); err != nil {
		return nil, err
	}
	runs := max(leastRuns, min(mostRuns, int(runsFor)/n))
	for range m.repeats {
		if err := m.barrier(); err != nil {
			return nil, err
		}
		before := m.ring.Stats()
		s, err := m.repeat(runs, func() { v.reset(m.exact) }, reduce)
		if err != nil {
			return nil, err
		}
		after := m.ring.Stats()
		f.BytesSent += after.BytesSent - before.BytesSent
		f.FloatRingBytes += after.FloatRingBytes - before.FloatRingBytes
		f.Seconds = append(f.Seconds, s)
		if err := m.barrier(); err != nil {
			return nil, err
		}
		if s, err = m.repeat(runs, func() { v.reset(false) }, bare); err != nil {
			return nil, fmt.Errorf("bare TCP ring: %w", err)
		}
		f.TcpSeconds = append(f.TcpSeconds, s)
	}
	return f, nil
}

// repeat runs do, prepared each time, and returns the mean of its seconds.
func (m *member) repeat(runs int, prepare func(), do func() error) (float64, error) {
	var spent time.Duration
	for range runs {
		if err := m.ctx.Err(); err != nil {
			return 0, err
		}
		prepare()
		begin := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		spent += time.Since(begin)
	}
	return spent.Seconds() / float64(runs), nil
}
