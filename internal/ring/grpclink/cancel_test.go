package grpclink_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"lockstep/internal/ring"
	"lockstep/internal/ring/grpclink"
	"lockstep/internal/ring/ringtest"
)

// A generation that is cancelled in the middle of a large vector ends at once at all members, and nothing of it is
// left. It takes a few milliseconds; 50 are what is wanted, and the limit leaves room for a busy machine.
func TestCancelIsQuick(t *testing.T) {
	const n, limit = 8 << 20, time.Second
	for _, w := range []way{{name: "pipe"}, {name: "stream over tcp", stream: true, tcp: true}} {
		t.Run(w.name, func(t *testing.T) {
			c := newNodes(t, w, 3)
			var times []time.Duration
			for range 11 {
				times = append(times, cancelInFlight(t, c, n))
			}
			slices.Sort(times)
			t.Logf("median %v, slowest %v", times[len(times)/2], times[len(times)-1])
			if m := times[len(times)/2]; m > limit {
				t.Errorf("it takes %v until nothing is left", m)
			}
		})
	}
}

// cancelInFlight cancels an operation once frames are under way, and returns how long it takes until all is over.
func cancelInFlight(t *testing.T, c *nodes, n int) time.Duration {
	rings, links := c.harness().Rings(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan []error)
	go func() {
		ended <- ringtest.All(3, func(i int) error {
			return rings[i].AllReduce(ctx, ring.Op{}, make([]float32, n), make([]int64, n), ringtest.Convert)
		})
	}()
	until(t, "frames are under way", func() bool {
		return !slices.ContainsFunc(rings, func(r *ring.Ring) bool { return r.Stats().FramesReceived < 3 })
	})
	begin := time.Now()
	cancel()
	for i, err := range <-ended {
		if err == nil {
			t.Errorf("member %d was not cancelled", i)
		}
	}
	for _, l := range links {
		l.Close()
	}
	until(t, "regions are gone", func() bool { return grpclink.LiveRegions() == 0 })
	return time.Since(begin)
}
