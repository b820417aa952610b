package testcluster

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/event"
)

// TestEventsReachNATSOnceEach kills the leader, which publishes events, in the middle of a job, starts it again, and compares what a
// NATS client reads, and what the command line prints meanwhile, with the coordinators' own log: nothing is lost and
// nothing comes twice.
func TestEventsReachNATSOnceEach(t *testing.T) {
	t.Parallel()
	nats, err := event.StartServer(event.ServerConfig{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nats.Close() })
	c := Start(t, Options{Workers: 2, NATSURL: nats.ClientURL()})
	id := c.Submit(digits(t))
	leader := c.Leader()
	printed := c.follow(id, leader)
	c.WaitStep(id, midway)
	leader.Kill()
	c.launch(leader, "coordinator")
	want(t, c.WaitDone(id).ModelDigest)

	logged := c.events(id)
	if ids := printed(); !slices.EqualFunc(ids, logged, func(id string, e *lockstepv1.Event) bool { return id == eventID(e) }) {
		t.Errorf("%d events were printed, %d are in the log", len(ids), len(logged))
	}
	read := readNATS(t, c.context(), nats.ClientURL(), id, len(logged))
	if len(read) != len(logged) {
		t.Fatalf("%d events on NATS, %d in the log", len(read), len(logged))
	}
	for i, e := range logged {
		if want := eventID(e); read[i].ID != want || read[i].Type != e.Type || string(read[i].Data) != string(e.Data) {
			t.Fatalf("event %d on NATS is %s %s %s, in the log %s %s %s", i, read[i].ID, read[i].Type, read[i].Data, want, e.Type, e.Data)
		}
	}
}

func eventID(e *lockstepv1.Event) string { return fmt.Sprintf("%d-%d", e.TimeMs, e.Sequence) }

// follow has the command line follow a job's events at one of the coordinators. What it returns waits for the end, and
// returns what was printed.
func (c *Cluster) follow(id string, at *Process) (printed func() []string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.context(), Binary(c.t, "lockstep"), "job", "events", id, "-f", "-o", "name", "--addr", at.Address)
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return func() []string {
		if err := cmd.Wait(); err != nil {
			c.t.Fatalf("job events -f: %v\n%s", err, log.String())
		}
		return strings.Fields(out.String())
	}
}

// events is all of a job's events, from the coordinators.
func (c *Cluster) events(id string) []*lockstepv1.Event {
	c.t.Helper()
	stream, err := c.Client.WatchEvents(c.context(), &lockstepv1.WatchEventsRequest{Job: id})
	var all []*lockstepv1.Event
	for err == nil {
		var e *lockstepv1.Event
		if e, err = stream.Recv(); err == nil {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		c.t.Fatalf("no events: %v", err)
	}
	return all
}

// readNATS reads n events of a job from the beginning.
func readNATS(t *testing.T, ctx context.Context, url, id string, n int) []event.Event {
	t.Helper()
	subject, err := event.JobSubjects(id)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var got []event.Event
	err = event.Subscribe(ctx, url, []string{subject}, true, func(e event.Event, _ uint64) {
		mu.Lock()
		defer mu.Unlock()
		if got = append(got, e); len(got) >= n {
			cancel()
		}
	})
	mu.Lock()
	defer mu.Unlock()
	if len(got) < n {
		t.Fatalf("%d events on NATS, want %d: %v", len(got), n, err)
	}
	return got
}
