package event

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"lockstep/internal/testaddr"
)

// limit is how long a test waits for what must happen.
const limit = time.Minute

// startServer starts a server on dir and addr ("" takes a new one) that the test stops.
func startServer(t *testing.T, dir, addr string) *Server {
	t.Helper()
	if addr == "" {
		addr = testaddr.New(t)
	}
	s, err := StartServer(ServerConfig{Dir: dir, Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
	})
	return s
}

func newPublisher(t *testing.T, url string) *Publisher {
	t.Helper()
	p, err := NewPublisher(Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close publisher: %v", err)
		}
	})
	return p
}

// message is the i-th of a sequence.
func message(i int) Message {
	payload, err := Encode(Event{ID: fmt.Sprint(i), Source: "/test", Type: "test"})
	if err != nil {
		panic(err)
	}
	return Message{Subject: Prefix + "job.j.progress", ID: fmt.Sprintf("m%d", i), Payload: payload}
}

func messages(from, to int) []Message {
	var list []Message
	for i := from; i < to; i++ {
		list = append(list, message(i))
	}
	return list
}

func mustPublish(t *testing.T, p *Publisher, msgs []Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if n, err := p.PublishAll(ctx, msgs); n != len(msgs) || err != nil {
		t.Fatalf("PublishAll = %d, %v; want %d", n, err, len(msgs))
	}
}

// collect subscribes from the start and returns the ids of the first n events, and that nothing else is there.
func collect(t *testing.T, url string, n int) (ids []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	err := Subscribe(ctx, url, []string{All}, true, func(e Event, seq uint64) {
		ids = append(ids, e.ID)
		if seq != uint64(len(ids)) {
			t.Errorf("event %s has sequence number %d, want %d", e.ID, seq, len(ids))
		}
		if len(ids) == n {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%d of %d events, then %v", len(ids), n, err)
	}
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := js.StreamInfo(StreamName); err != nil || info.State.Msgs != uint64(n) {
		t.Errorf("the stream has %d messages, %v; want %d", info.State.Msgs, err, n)
	}
	return ids
}

// expectSequence checks that the stream has the events 0 ... n-1, once each and in order.
func expectSequence(t *testing.T, url string, n int) {
	t.Helper()
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint(i))
	}
	if diff := cmp.Diff(want, collect(t, url, n)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestPublishTwiceStoresOnce(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	p := newPublisher(t, s.ClientURL())
	for range 3 {
		if err := p.Publish(t.Context(), message(0).Subject, message(0).ID, message(0).Payload); err != nil {
			t.Fatal(err)
		}
	}
	mustPublish(t, p, messages(0, 700)) // more than the window, the first is there
	mustPublish(t, p, messages(100, 650))
	mustPublish(t, newPublisher(t, s.ClientURL()), messages(0, 701)) // a new leader
	mustPublish(t, p, nil)
	expectSequence(t, s.ClientURL(), 701)
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir, "")
	url := s.ClientURL()
	p := newPublisher(t, url)
	mustPublish(t, p, messages(0, 300))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	down(t, p)
	startServer(t, dir, strings.TrimPrefix(url, "nats://"))
	mustPublish(t, p, messages(250, 600)) // the outbox did not know that these were acknowledged
	expectSequence(t, url, 600)
}

// down checks that publishing fails in time while there is no server.
func down(t *testing.T, p *Publisher) {
	t.Helper()
	cause := errors.New("leadership is lost")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, cause)
	defer cancel()
	start := time.Now()
	n, err := p.PublishAll(ctx, messages(290, 310))
	if n != 0 || !errors.Is(err, cause) {
		t.Errorf("PublishAll without a server = %d, %v; want the cause", n, err)
	}
	if took := time.Since(start); took > limit/2 {
		t.Errorf("it took %v", took)
	}
}

// TestServerComesLate: the publisher is there before the server, which has no stream.
func TestServerComesLate(t *testing.T) {
	addr := testaddr.New(t)
	url := "nats://" + addr
	p := newPublisher(t, url)
	down(t, p)
	published := make(chan struct{})
	go func() {
		defer close(published)
		mustPublish(t, p, messages(0, 10))
	}()
	startServer(t, t.TempDir(), addr)
	expectSequence(t, url, 10)
	<-published
}

// TestLostDirectory: the server comes back with an empty directory.
func TestLostDirectory(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	url := s.ClientURL()
	p := newPublisher(t, url)
	mustPublish(t, p, messages(0, 5))
	got := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- Subscribe(ctx, url, []string{All}, true, func(e Event, _ uint64) { got <- e.ID })
	}()
	next := func(want string) {
		t.Helper()
		select {
		case id := <-got:
			if id != want {
				t.Errorf("event %s, want %s", id, want)
			}
		case <-time.After(limit):
			t.Fatalf("no event %s", want)
		}
	}
	for i := range 5 {
		next(fmt.Sprint(i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	startServer(t, t.TempDir(), strings.TrimPrefix(url, "nats://"))
	mustPublish(t, p, messages(5, 7))
	next("5")
	next("6")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Subscribe = %v", err)
	}
}

func TestPublishRefuses(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	p := newPublisher(t, s.ClientURL())
	for name, m := range map[string]Message{
		"no id":      {Subject: ClusterLeader},
		"subject":    {Subject: "other.subject", ID: "a"},
		"wildcard":   {Subject: Prefix + "*", ID: "a"},
		"too large":  {Subject: ClusterLeader, ID: "a", Payload: make([]byte, 2<<20)},
		"with space": {Subject: Prefix + "a b", ID: "a"},
	} {
		msgs := append(messages(0, 3), m, message(4))
		n, err := p.PublishAll(t.Context(), msgs)
		if n != 3 || err == nil {
			t.Errorf("%s: PublishAll = %d, %v; want the 3 before it", name, n, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), ClusterLeader, "b", nil); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	expectSequence(t, s.ClientURL(), 3)
	if _, err := NewPublisher(Config{URL: "nats://a b:x"}); err == nil {
		t.Error("a malformed URL was accepted")
	}
}

// TestRefusedMessageIsNotOvertaken: the server refuses one message of a batch, those behind it are sent already.
func TestRefusedMessageIsNotOvertaken(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	stream := &nats.StreamConfig{Name: StreamName, Subjects: []string{All}, MaxMsgSize: 1000}
	if _, err := js.AddStream(stream); err != nil {
		t.Fatal(err)
	}
	msgs := messages(0, 50)
	msgs[20].Payload = make([]byte, 2000)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	p := newPublisher(t, s.ClientURL())
	if n, err := p.PublishAll(ctx, msgs); n != 20 || err == nil {
		t.Errorf("PublishAll = %d, %v; want 20", n, err)
	}
	expectSequence(t, s.ClientURL(), 20)
	msgs[20] = message(20)
	mustPublish(t, p, msgs[20:])
	expectSequence(t, s.ClientURL(), 50)
}

// TestInterleavedPublishers: the order within each call holds.
func TestInterleavedPublishers(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	const each = 100
	var wg sync.WaitGroup
	for g := range 3 {
		p := newPublisher(t, s.ClientURL())
		wg.Go(func() { mustPublish(t, p, messages(g*each, (g+1)*each)) })
	}
	wg.Wait()
	last := map[int]int{}
	for _, id := range collect(t, s.ClientURL(), 3*each) {
		var i int
		fmt.Sscan(id, &i)
		if want := last[i/each]; i%each != want {
			t.Errorf("publisher %d: event %d, want %d", i/each, i%each, want)
		}
		last[i/each]++
	}
}

// TestBrokenConnections publishes through a proxy that breaks connections in the middle of batches.
func TestBrokenConnections(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	proxy := newProxy(t, strings.TrimPrefix(s.ClientURL(), "nats://"))
	p := newPublisher(t, "nats://"+proxy.addr())
	const n = 3000
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for done := 0; done < n; {
		// The caller, too, has deadlines and starts again where the acknowledgements ended.
		call, cancelCall := context.WithTimeout(ctx, time.Second)
		k, err := p.PublishAll(call, messages(done, min(done+500, n)))
		cancelCall()
		if done += k; err != nil && ctx.Err() != nil {
			t.Fatalf("%d of %d published: %v", done, n, err)
		}
	}
	if proxy.broken.Load() < 3 {
		t.Errorf("only %d connections broke", proxy.broken.Load())
	}
	expectSequence(t, s.ClientURL(), n)
}

// proxy forwards connections to a server and breaks each after some bytes.
type proxy struct {
	l      net.Listener
	broken atomic.Int64
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l}
	r := rand.New(rand.NewPCG(1, 2))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			bytes := int64(20_000 + r.IntN(100_000))
			wg.Go(func() { p.forward(in, target, bytes) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) forward(in net.Conn, target string, bytes int64) {
	defer in.Close()
	out, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer out.Close()
	go io.Copy(in, out)
	if n, _ := io.CopyN(out, in, bytes); n == bytes {
		p.broken.Add(1)
	}
}

func TestStartServerErrors(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	start := time.Now()
	for name, cfg := range map[string]ServerConfig{
		"no directory":   {Addr: "127.0.0.1:0"},
		"no port":        {Dir: t.TempDir(), Addr: "127.0.0.1"},
		"bad port":       {Dir: t.TempDir(), Addr: "127.0.0.1:x"},
		"port in use":    {Dir: t.TempDir(), Addr: strings.TrimPrefix(s.ClientURL(), "nats://")},
		"a file for dir": {Dir: "/dev/null", Addr: "127.0.0.1:0"},
	} {
		if s, err := StartServer(cfg); err == nil {
			s.Close()
			t.Errorf("%s: started", name)
		} else {
			t.Log(err)
		}
	}
	if took := time.Since(start); took > 25*time.Second {
		t.Errorf("it took %v to see errors that are there at once", took)
	}
}

func BenchmarkPublishAll(b *testing.B) {
	s, err := StartServer(ServerConfig{Dir: b.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	p, err := NewPublisher(Config{URL: s.ClientURL()})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	next := 0
	for b.Loop() {
		if _, err := p.PublishAll(b.Context(), messages(next, next+100)); err != nil {
			b.Fatal(err)
		}
		next += 100
	}
	b.ReportMetric(float64(next)/b.Elapsed().Seconds(), "events/s")
}
