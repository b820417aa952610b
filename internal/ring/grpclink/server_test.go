package grpclink_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"lockstep/internal/ring"
	"lockstep/internal/ring/grpclink"
	"lockstep/internal/ring/ringtest"
)

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
		runtime.Gosched()
	}
}

// call opens a stream to a server by hand and returns how it ends.
func call(t *testing.T, addr string, md ...string) error {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpclink.DialOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := metadata.NewOutgoingContext(t.Context(), metadata.Pairs(md...))
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/lockstep.v1.Ring/Pass",
		grpc.CallContentSubtype("lockstep-frame"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Header()
	if err == nil {
		err = stream.RecvMsg(nil)
	}
	return err
}

func session(job, generation, from, to string) []string {
	return []string{"lockstep-job", job, "lockstep-generation", generation, "lockstep-from", from, "lockstep-to", to}
}

func TestStreamsThatAreRefused(t *testing.T) {
	c := newNodes(t, way{}, 2)
	c.generation = 6
	c.open(t, 2) // generation 7
	s := c.servers[0]
	s.SetOpenWait(50 * time.Millisecond)
	for name, x := range map[string]struct {
		md    []string
		code  codes.Code
		count func(grpclink.Refused) uint64
	}{
		"stale":        {session("j", "6", "1", "0"), codes.FailedPrecondition, func(r grpclink.Refused) uint64 { return r.Stale }},
		"other rank":   {session("j", "7", "0", "1"), codes.FailedPrecondition, func(r grpclink.Refused) uint64 { return r.Stale }},
		"duplicate":    {session("j", "7", "1", "0"), codes.AlreadyExists, func(r grpclink.Refused) uint64 { return r.Duplicate }},
		"no such rank": {session("j", "7", "2", "0"), codes.InvalidArgument, func(r grpclink.Refused) uint64 { return r.Malformed }},
		"itself":       {session("j", "7", "0", "0"), codes.InvalidArgument, func(r grpclink.Refused) uint64 { return r.Malformed }},
		"not numbers":  {session("j", "x", "1", "0"), codes.InvalidArgument, func(r grpclink.Refused) uint64 { return r.Malformed }},
		"nothing":      {nil, codes.InvalidArgument, func(r grpclink.Refused) uint64 { return r.Malformed }},
		"ambiguous":    {append(session("j", "7", "1", "0"), "lockstep-job", "k"), codes.InvalidArgument, func(r grpclink.Refused) uint64 { return r.Malformed }},
		"later":        {session("j", "8", "1", "0"), codes.DeadlineExceeded, func(r grpclink.Refused) uint64 { return r.Unclaimed }},
		"other job":    {session("k", "7", "1", "0"), codes.DeadlineExceeded, func(r grpclink.Refused) uint64 { return r.Unclaimed }},
	} {
		before := x.count(s.Refused())
		if err := call(t, c.addrs[0], x.md...); status.Code(err) != x.code {
			t.Errorf("%s: %v", name, err)
		}
		if after := x.count(s.Refused()); after != before+1 {
			t.Errorf("%s: counted %d times; %+v", name, after-before, s.Refused())
		}
	}
}

// A pipe needs a ticket that was given out and not used.
func TestPipesWithoutTicketAreRefused(t *testing.T) {
	c := newNodes(t, way{tcp: true}, 2)
	links := c.open(t, 2)
	knock := func(ticket [16]byte) net.Conn {
		conn, err := net.Dial("tcp", c.addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := conn.Write(append([]byte("LOCKRING"), ticket[:]...)); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		return conn
	}
	if _, err := knock([16]byte{1, 2, 3}).Read(make([]byte, 1)); err != io.EOF && !strings.Contains(err.Error(), "reset") {
		t.Errorf("a made-up ticket: %v", err)
	}
	var ticket [16]byte
	until(t, "ticket", func() (ok bool) { ticket, ok = links[0].Ticket(1); return ok })
	knock(ticket)
	until(t, "pipe", func() bool { _, ok := links[0].Ticket(1); return !ok })
	if _, err := knock(ticket).Read(make([]byte, 1)); err != io.EOF && !strings.Contains(err.Error(), "reset") {
		t.Errorf("a used ticket: %v", err)
	}
	if n := c.servers[0].Refused().Malformed; n != 2 {
		t.Errorf("%d refused", n)
	}
}

// Bytes on a pipe that are no frame name the sender.
func TestPipeWithGarbage(t *testing.T) {
	c := newNodes(t, way{tcp: true}, 2)
	links := c.open(t, 2)
	var ticket [16]byte
	until(t, "ticket", func() (ok bool) { ticket, ok = links[0].Ticket(1); return ok })
	conn, err := net.Dial("tcp", c.addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(append(append([]byte("LOCKRING"), ticket[:]...), make([]byte, 5001)...)) // no region, and garbage
	_, err = links[0].Recv(t.Context(), 1)
	var lost *ring.LostError
	if !errors.As(err, &lost) || lost.Peer != 1 || !errors.Is(err, ring.ErrCorrupt) {
		t.Errorf("received %v", err)
	}
}

// A stream that comes first waits for its session.
func TestStreamWaitsForOpen(t *testing.T) {
	for _, w := range ways {
		c := newNodes(t, w, 2)
		first, err := c.servers[0].Open(t.Context(), grpclink.Config{Job: "j", Generation: 1, Rank: 0, Peers: c.addrs})
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		sent := make(chan error, 1)
		go func() {
			sent <- first.Send(t.Context(), 1, &ring.Frame{Parts: [][]byte{record(t, w)}})
		}()
		second, err := c.servers[1].Open(t.Context(), grpclink.Config{Job: "j", Generation: 1, Rank: 1, Peers: c.addrs})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		f, err := second.Recv(t.Context(), 0)
		if err != nil || f.Len() != ring.HeaderLen {
			t.Fatalf("%s: received %v, %v", w.name, f, err)
		}
		if err := <-sent; err != nil {
			t.Errorf("%s: sent: %v", w.name, err)
		}
	}
}

// record returns the bytes of some frame.
func record(t *testing.T, w way) []byte {
	t.Helper()
	h := newNodes(t, w, 2).harness()
	tap := &tap{}
	h.Wrap = func(rank int, l ring.Link) ring.Link {
		if rank == 0 {
			tap.Link = l
			return tap
		}
		return l
	}
	rings, _ := h.Rings(t, 2)
	errs := make(chan error, 2)
	for _, r := range rings {
		go func() { errs <- r.AllReduceInt64(t.Context(), ring.Op{}, make([]int64, 1)) }()
	}
	for range rings {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	b := tap.frame[:ring.HeaderLen]
	b[52] = 0 // no payload
	return b
}

// tap keeps a copy of the last frame sent.
type tap struct {
	ring.Link
	frame []byte
}

func (l *tap) Send(ctx context.Context, to int, f *ring.Frame) error {
	l.frame = append([]byte(nil), f.Parts[0]...)
	return l.Link.Send(ctx, to, f)
}

func TestOpenRefuses(t *testing.T) {
	c := newNodes(t, way{}, 2)
	c.generation = 6
	c.open(t, 2)
	for name, cfg := range map[string]grpclink.Config{
		"stale":      {Job: "j", Generation: 6, Rank: 0, Peers: c.addrs},
		"twice":      {Job: "j", Generation: 7, Rank: 0, Peers: c.addrs},
		"no rank":    {Job: "j", Generation: 8, Rank: 2, Peers: c.addrs},
		"nobody":     {Job: "j", Generation: 8, Rank: 0},
		"no address": {Job: "k", Generation: 8, Rank: 0, Peers: []string{c.addrs[0], "127.0.0.1:1"}},
	} {
		l, err := c.servers[0].Open(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: opened", name)
			l.Close()
		}
		var lost *ring.LostError
		if name == "no address" && (!errors.As(err, &lost) || lost.Peer != 1) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What waits ends with Open's ctx, with the call's ctx, and with Close, and nothing of a
// link is left behind.
func TestEndsFreeEverything(t *testing.T) {
	for _, w := range ways {
		c := newNodes(t, w, 2)
		for name, end := range map[string]func(l *grpclink.Link, cancelOpen, cancelCall func()){
			"open's ctx": func(_ *grpclink.Link, cancel, _ func()) { cancel() },
			"call's ctx": func(_ *grpclink.Link, _, cancel func()) { cancel() },
			"close":      func(l *grpclink.Link, _, _ func()) { l.Close() },
			"abort":      func(l *grpclink.Link, _, _ func()) { l.Abort(1) },
		} {
			before := runtime.NumGoroutine()
			c.generation++
			ctx, cancelOpen := context.WithCancel(t.Context())
			var links [2]*grpclink.Link
			for i := range links {
				l, err := c.servers[i].Open(ctx, grpclink.Config{Job: "j", Generation: c.generation, Rank: i, Peers: c.addrs})
				if err != nil {
					t.Fatal(err)
				}
				links[i] = l
			}
			callCtx, cancelCall := context.WithCancel(t.Context())
			errs := make(chan error, 2)
			go func() { _, err := links[0].Recv(callCtx, 1); errs <- err }()
			go func() {
				for {
					f := &ring.Frame{Parts: [][]byte{make([]byte, 1<<20)}}
					if err := links[0].Send(callCtx, 1, f); err != nil {
						errs <- err
						return
					}
				}
			}()
			until(t, "blocked", func() bool { return links[0].InUse(1) > 0 })
			start := time.Now()
			end(links[0], cancelOpen, cancelCall)
			for range 2 {
				if err := <-errs; err == nil {
					t.Errorf("%s, %s: no error", w.name, name)
				}
			}
			links[0].Close()
			links[1].Close()
			t.Logf("%s, %s: ended after %v", w.name, name, time.Since(start))
			cancelOpen()
			cancelCall()
			until(t, w.name+", "+name+": goroutines are gone", func() bool { return runtime.NumGoroutine() <= before })
			until(t, w.name+", "+name+": regions are gone", func() bool { return grpclink.LiveRegions() == 0 })
		}
	}
}

// Members on one host share memory if both can, and else send through the socket; the sums are right in any case.
func TestMemoryIsSharedWhereBothCan(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is shared on Linux")
	}
	for _, x := range []struct {
		way
		regions int32 // mappings: two of each that is shared
	}{{way{}, 4}, {way{apart: 1}, 0}, {way{apart: 2}, 0}, {way{tcp: true}, 0}, {way{stream: true}, 0}} {
		rings, links := newNodes(t, x.way, 2).harness().Rings(t, 2)
		ringtest.Exchange(t, rings, ring.Op{}, 100000)
		if n := grpclink.LiveRegions(); n != x.regions {
			t.Errorf("%+v: %d regions, want %d", x.way, n, x.regions)
		}
		for _, l := range links {
			l.Close()
		}
		until(t, "regions are gone", func() bool { return grpclink.LiveRegions() == 0 })
	}
}
