package grpclink_test

import (
	"flag"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"lockstep/internal/fixed"
	"lockstep/internal/ring"
	"lockstep/internal/ring/grpclink"
	"lockstep/internal/ring/ringtest"
)

// way is how frames travel.
type way struct {
	name   string
	stream bool // as messages, not through pipes
	tcp    bool // no unix sockets
	tls    bool // with certificates
	apart  int  // how many of the members refuse to share memory, from the first
}

var ways = []way{{name: "pipe"}, {name: "unix socket", apart: 9}, {name: "pipe over tcp", tcp: true}, {name: "stream", stream: true}, {name: "stream over tcp", stream: true, tcp: true},
	{name: "tls", tls: true}, {name: "tls over tcp", tls: true, tcp: true}}

// nodes are servers that tests share: each test opens a generation of its own on them.
type nodes struct {
	way
	mu         sync.Mutex
	servers    []*grpclink.Server
	addrs      []string
	generation uint64
}

// serve starts a server on loopback and returns it with its address.
func serve(t testing.TB, w way) (*grpclink.Server, string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpclink.NewServer(nil)
	if w.tls {
		s.Secure(security(t))
	}
	opts := grpclink.ServerOptions()
	if !w.stream {
		opts = append(opts, grpc.Creds(s.Credentials(nil)))
	}
	g := grpc.NewServer(opts...)
	s.Register(g)
	go g.Serve(lis)
	t.Cleanup(g.Stop)
	if !w.tcp {
		local, err := grpclink.ListenLocal(lis.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go g.Serve(local)
	}
	return s, lis.Addr().String()
}

func newNodes(t testing.TB, w way, n int) *nodes {
	t.Helper()
	c := &nodes{way: w}
	for range n {
		s, addr := serve(t, w)
		if len(c.servers) < w.apart {
			s.KeepApart()
		}
		c.servers, c.addrs = append(c.servers, s), append(c.addrs, addr)
	}
	return c
}

// open returns the links of a new generation of the first world nodes.
func (c *nodes) open(t testing.TB, world int) []*grpclink.Link {
	t.Helper()
	c.mu.Lock()
	c.generation++
	g := c.generation
	c.mu.Unlock()
	links := make([]*grpclink.Link, world)
	for i := range links {
		l, err := c.servers[i].Open(t.Context(), grpclink.Config{Job: "j", Generation: g, Rank: i, Peers: c.addrs[:world]})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		links[i] = l
	}
	return links
}

func (c *nodes) harness() ringtest.Harness {
	return ringtest.Harness{
		Packing: fixed.Packing{},
		Links: func(t testing.TB, world int) []ring.Link {
			var links []ring.Link
			for _, l := range c.open(t, world) {
				links = append(links, l)
			}
			return links
		},
	}
}

func TestConformance(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			h := newNodes(t, w, 9).harness()
			if w.tcp || w.tls || w.apart > 0 {
				h.Worlds = []int{2, 5}
			}
			t.Run("exact", h.Exact)
			t.Run("words", h.Words)
			h.MaxLen = 20000
			t.Run("float32", h.Float32)
			h.MaxLen, h.SegmentLen, h.Worlds = 5000, 1000, []int{2, 3, 8}
			t.Run("small segments", h.Exact)
			for name, a := range map[string]ring.Algorithm{"direct": ring.Direct, "doubling": ring.Doubling, "around": ring.Around} {
				h.Algorithm = a
				t.Run(name, h.Exact)
			}
		})
	}
}

// TestLong needs about 500 MB and half a minute: go test -run Long -ring.long.
func TestLong(t *testing.T) {
	if !*long {
		t.Skip("needs -ring.long")
	}
	for _, w := range ways {
		h := newNodes(t, w, 3).harness()
		h.Worlds = []int{2, 3}
		t.Run(w.name, h.Long)
	}
}

var long = flag.Bool("ring.long", false, "run the tests with vectors of 10^7 values")

func TestFaultsAtEveryFrame(t *testing.T) {
	for _, w := range ways {
		if w.apart > 0 || w.tls || w.tcp && testing.Short() {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			c := newNodes(t, w, 3)
			for _, world := range []int{2, 3} {
				h := c.harness()
				h.Algorithm = ring.Direct
				t.Run(fmt.Sprint("direct", world), func(t *testing.T) { h.Faults(t, world, 100, ringtest.FaultCases) })
				h.Algorithm = ring.Doubling
				t.Run(fmt.Sprint("doubling", world), func(t *testing.T) { h.Faults(t, world, 100, ringtest.FaultCases) })
				h.Algorithm, h.SegmentLen = ring.Around, 20
				t.Run(fmt.Sprint("around", world), func(t *testing.T) { h.Faults(t, world, 60*world, ringtest.FaultCases) })
			}
		})
	}
}

// What only a deadline notices, with few frames.
func TestSilenceIsNoticed(t *testing.T) {
	for _, w := range ways {
		if w.tcp != w.tls || w.apart > 0 { // TLS is another way over TCP only
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			h := newNodes(t, w, 3).harness()
			h.Timeout = 300 * time.Millisecond
			h.Algorithm = ring.Around
			for _, c := range ringtest.SlowFaultCases {
				world := 2
				if c.Action.Freeze {
					world = 3 // somebody else must be told
					// On a starved machine the one behind may reach its own deadline before it is told. Whom it
					// blames then is a member that is alive, which the leader finds out.
					c.Anyone = true
				}
				h.Faults(t, world, 100, []ringtest.FaultCase{c})
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, newNodes(t, w, 2).harness().Refusals)
	}
}

func TestCancelAtEveryFrame(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			h := newNodes(t, w, 3).harness()
			h.Cancels(t, 3, 100)
			h.SegmentLen = 20
			h.Cancels(t, 3, 180)
		})
	}
}
