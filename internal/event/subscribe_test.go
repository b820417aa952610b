package event

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
)

func TestPlainClientSeesEvents(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("lockstep.v1.job.*.progress")
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	mustPublish(t, newPublisher(t, s.ClientURL()), messages(0, 3))
	for i := range 3 {
		m, err := sub.NextMsg(limit)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := Decode(m.Data); err != nil || e.ID != fmt.Sprint(i) || m.Header.Get("Nats-Msg-Id") != fmt.Sprintf("m%d", i) {
			t.Errorf("message %s: %v", m.Data, err)
		}
	}
}

func TestSubscribe(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir, "")
	url := s.ClientURL()
	p := newPublisher(t, url)
	mustPublish(t, p, messages(0, 3))
	ctx, cancel := context.WithCancelCause(t.Context())
	type seen struct {
		ID  string
		Seq uint64
	}
	events := make(chan seen, 100)
	var wg sync.WaitGroup
	stop := errors.New("enough")
	for _, fromStart := range []bool{true, false} {
		wg.Go(func() {
			subjects := []string{Prefix + "job.*.progress", ClusterLeader}
			err := Subscribe(ctx, url, subjects, fromStart, func(e Event, seq uint64) {
				if fromStart || seq > 3 {
					events <- seen{e.ID, seq}
				} else {
					t.Errorf("event %s is from before the call", e.ID)
				}
			})
			if !errors.Is(err, stop) {
				t.Errorf("Subscribe = %v, want the cause", err)
			}
		})
	}
	expectSeen := func(want map[seen]int) {
		t.Helper()
		got := map[seen]int{}
		for n := range want {
			for range want[n] {
				select {
				case e := <-events:
					got[e]++
				case <-time.After(limit):
					t.Fatalf("events %v, want %v", got, want)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	}
	expectSeen(map[seen]int{{"0", 1}: 1, {"1", 2}: 1, {"2", 3}: 1})
	waitConsumers(t, url, 2) // the one that begins now has begun
	worker := message(3)
	worker.Subject = Prefix + "worker.w.state" // not subscribed to
	leader := message(4)
	leader.Subject = ClusterLeader
	garbage := Message{Subject: ClusterLeader, ID: "g", Payload: []byte("not an event")}
	mustPublish(t, p, []Message{worker, garbage, leader})
	expectSeen(map[seen]int{{"4", 6}: 2})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	startServer(t, dir, strings.TrimPrefix(url, "nats://"))
	mustPublish(t, p, messages(5, 7))
	expectSeen(map[seen]int{{"5", 7}: 2, {"6", 8}: 2})
	cancel(stop)
	wg.Wait()
}

// waitConsumers waits until the stream has n consumers.
func waitConsumers(t *testing.T, url string, n int) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(limit); time.Now().Before(end); {
		info, err := js.StreamInfo(StreamName)
		if err == nil && info.State.Consumers == n {
			return
		}
	}
	t.Fatalf("the stream has not %d consumers", n)
}

func TestSubscribeRefuses(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	mustPublish(t, newPublisher(t, s.ClientURL()), messages(0, 1))
	for _, subjects := range [][]string{{Prefix + "a b"}, {All, ClusterLeader}} {
		if err := Subscribe(t.Context(), s.ClientURL(), subjects, true, nil); err == nil || t.Context().Err() != nil {
			t.Errorf("Subscribe to %q = %v", subjects, err)
		}
	}
	if err := Subscribe(t.Context(), "nats://a b:x", []string{All}, true, nil); err == nil {
		t.Error("a malformed URL was accepted")
	}
}
