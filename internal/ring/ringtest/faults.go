package ringtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lockstep/internal/ring"
	"lockstep/internal/ring/memlink"
)

// Outcome is what became of one member's operation.
type Outcome struct {
	Err   error
	Right bool // dst holds the sum
}

// attempt runs one AllReduce of n values on fresh rings and returns the outcomes. ctx
// returns each member's context.
func attempt(t testing.TB, rings []*ring.Ring, n int, ctx func(rank int) context.Context) []Outcome {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), 1))
	accs, sum := make([][]int64, len(rings)), make([]int64, n)
	for i := range accs {
		accs[i] = Input(r, n)
		for j, v := range accs[i] {
			sum[j] += v
		}
	}
	want := make([]float32, n)
	if err := Convert(want, sum, 0); err != nil {
		t.Fatal(err)
	}
	out := make([]Outcome, len(rings))
	All(len(rings), func(i int) error {
		dst := make([]float32, n)
		err := rings[i].AllReduce(ctx(i), ring.Op{Step: 3}, dst, accs[i], Convert)
		out[i] = Outcome{err, slices.EqualFunc(dst, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })}
		return nil
	})
	return out
}

// FaultCase is a kind of fault, and what it must lead to.
type FaultCase struct {
	Name   string
	Action memlink.Action
	Unhurt bool // the operation succeeds all the same
	Anyone bool // two members wait for one another, so either may be blamed
}

// FaultCases are the faults that need no deadline to be noticed.
var FaultCases = []FaultCase{
	{Name: "corrupt", Action: memlink.Action{Corrupt: true}},
	{Name: "close", Action: memlink.Action{Close: true}},
}

// SlowFaultCases are noticed by their absence, or change the time only.
var SlowFaultCases = []FaultCase{
	{Name: "drop", Action: memlink.Action{Drop: true}, Anyone: true},
	{Name: "freeze", Action: memlink.Action{Freeze: true}},
	{Name: "cut", Action: memlink.Action{Cut: 1}},
	{Name: "duplicate", Action: memlink.Action{Duplicate: true}},
	{Name: "delay", Action: memlink.Action{Delay: 1e6}, Unhurt: true},
}

// Faults strikes every frame that a member sends in an operation, one at a time. Each
// run ends for everyone: with the sum, or with an error that names the member.
func (h Harness) Faults(t *testing.T, world, n int, cases []FaultCase) {
	for _, c := range cases {
		struck := 0
		for victim := range world {
			for frame := 0; h.strike(t, world, n, victim, frame, c); frame++ {
				struck++
			}
		}
		if struck < world {
			t.Errorf("%s: only %d frames were struck", c.Name, struck)
		}
	}
}

// strike runs one operation with one fault. It returns false if there was no such frame.
func (h Harness) strike(t *testing.T, world, n, victim, frame int, c FaultCase) bool {
	t.Helper()
	hit := false
	sent := 0
	h.Wrap = func(rank int, l ring.Link) ring.Link {
		if rank != victim {
			return l
		}
		return memlink.WithFaults(l, func(int, int) memlink.Action {
			if sent++; sent-1 != frame {
				return memlink.Action{}
			}
			hit = true
			return c.Action
		})
	}
	rings, links := h.Rings(t, world)
	out := attempt(t, rings, n, func(int) context.Context { return context.Background() })
	for _, l := range links {
		l.Close()
	}
	where := fmt.Sprintf("%s: world %d, frame %d of member %d: ", c.Name, world, frame, victim)
	failed := 0
	for i, o := range out {
		var pe *ring.PeerError
		switch {
		case o.Err == nil && !o.Right:
			t.Fatalf("%smember %d has a wrong sum and no error", where, i)
		case o.Err == nil:
		case !errors.As(o.Err, &pe):
			t.Fatalf("%smember %d: %v is not a PeerError", where, i, o.Err)
		case i != victim && pe.Peer != victim && !c.Anyone:
			t.Fatalf("%smember %d blames %d: %v", where, i, pe.Peer, o.Err)
		case pe.Generation != 7 || pe.Step != 3:
			t.Fatalf("%smember %d: %v", where, i, o.Err)
		default:
			failed++
		}
	}
	if hit && c.Unhurt && failed > 0 {
		t.Fatalf("%s%d members failed: %v", where, failed, out)
	}
	// A duplicate of a last frame is found by the next operation only.
	if hit && !c.Unhurt && !c.Action.Duplicate && failed == 0 {
		t.Fatalf("%snobody noticed", where)
	}
	return hit
}

// Cancels ends one member's ctx at every frame that it sends. All members come back, the
// one with its cause, the others with the sum or an error that names it.
func (h Harness) Cancels(t *testing.T, world, n int) {
	cause := errors.New("generation over")
	for victim := range world {
		for frame := 0; ; frame++ {
			hit := false
			ctx, cancel := context.WithCancelCause(context.Background())
			h.Wrap = func(rank int, l ring.Link) ring.Link {
				sent := 0
				if rank != victim {
					return l
				}
				return memlink.WithFaults(l, func(int, int) memlink.Action {
					if sent++; sent-1 == frame {
						hit = true
						cancel(cause)
					}
					return memlink.Action{}
				})
			}
			rings, links := h.Rings(t, world)
			out := attempt(t, rings, n, func(rank int) context.Context {
				if rank == victim {
					return ctx
				}
				return context.Background()
			})
			for _, l := range links {
				l.Close()
			}
			cancel(nil)
			for i, o := range out {
				var pe *ring.PeerError
				switch {
				case o.Err == nil && !o.Right:
					t.Fatalf("frame %d: member %d has a wrong sum and no error", frame, i)
				case o.Err == nil:
				case i == victim && (!errors.Is(o.Err, cause) || errors.As(o.Err, &pe)):
					t.Fatalf("frame %d: the cancelled member has %v", frame, o.Err)
				case i != victim && (!errors.As(o.Err, &pe) || pe.Peer != victim):
					t.Fatalf("frame %d: member %d has %v, %d was cancelled", frame, i, o.Err, victim)
				}
			}
			if !hit {
				break
			}
		}
	}
}
