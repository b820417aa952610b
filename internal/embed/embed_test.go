package embed

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
)

// TestASlowClusterIsNotDead lets goroutines that compute without a pause have the only core between them for a while:
// every message of the coordinators waits for many of their slices of time. Nobody may take anybody for lost.
func TestASlowClusterIsNotDead(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c, err := Start(ctx, Config{DataDir: t.TempDir(), Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := client.Dial(c.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	before := awaitWorkers(t, ctx, cl, 4)

	stop := busy(t, 10)
	for range 5 { // each a commit, through the load
		if _, err := cl.Alert(ctx, &lockstepv1.AlertRequest{}); err == nil {
			t.Fatal("an alert of no job was taken")
		}
	}
	stop()
	after := awaitWorkers(t, ctx, cl, 4)
	if after.Term != before.Term {
		t.Errorf("term %d after %d: a slow leader was taken for lost", after.Term, before.Term)
	}
	if events := workerEvents(t, ctx, cl); len(events) != 4 {
		t.Errorf("%d events of workers, want that 4 joined and nothing else: %v", len(events), events)
	}
}

// busy starts goroutines that compute until they are stopped.
func busy(t *testing.T, n int) (stop func()) {
	var over atomic.Bool
	var g sync.WaitGroup
	for range n {
		g.Go(func() {
			for !over.Load() {
			}
		})
	}
	stop = sync.OnceFunc(func() {
		over.Store(true)
		g.Wait()
	})
	t.Cleanup(stop)
	return stop
}

func awaitWorkers(t *testing.T, ctx context.Context, c *client.Client, n uint32) *lockstepv1.ClusterStatus {
	t.Helper()
	for {
		s, err := c.GetStatus(ctx, &lockstepv1.GetStatusRequest{Local: true})
		if err != nil {
			t.Fatal(err)
		}
		if s.Workers == n && s.Leader != "" {
			return s
		}
	}
}

func workerEvents(t *testing.T, ctx context.Context, c *client.Client) []*lockstepv1.Event {
	t.Helper()
	stream, err := c.WatchEvents(ctx, &lockstepv1.WatchEventsRequest{})
	var out []*lockstepv1.Event
	for err == nil {
		var e *lockstepv1.Event
		if e, err = stream.Recv(); err == nil && e.Type == "lockstep.worker.state" {
			out = append(out, e)
		}
	}
	return out
}
