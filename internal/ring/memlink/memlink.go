// Package memlink connects the members of a ring in memory, and adds faults on demand
// to any link.
package memlink

import (
	"context"
	"sync"

	"lockstep/internal/ring"
)

// room is the number of frames that a peer may lag behind.
const room = 4

// New returns the links of a world of n members, by rank. Frames arrive in parts of
// at most pieces bytes; with 0, as they were sent.
func New(n, pieces int) []*Link {
	pipes := make([][]chan *ring.Frame, n)
	links := make([]*Link, n)
	for i := range n {
		pipes[i] = make([]chan *ring.Frame, n)
		for j := range n {
			pipes[i][j] = make(chan *ring.Frame, room)
		}
		links[i] = &Link{rank: i, pieces: pieces, pipes: pipes, closed: make(chan struct{})}
	}
	for _, l := range links {
		l.links = links
	}
	return links
}

// Link is one member's end. It implements ring.Link.
type Link struct {
	rank    int
	pieces  int
	pipes   [][]chan *ring.Frame // from, to
	links   []*Link
	closed  chan struct{}
	once    sync.Once
	culprit int // whom the peers are to blame; written before closed is closed
}

// Send implements ring.Link.
func (l *Link) Send(ctx context.Context, to int, f *ring.Frame) error {
	if err := l.state(to); err != nil {
		return err
	}
	if l.pieces > 0 {
		f = cut(f, l.pieces)
	}
	select {
	case l.pipes[l.rank][to] <- f:
		return nil
	case <-l.closed:
		return ring.ErrClosed
	case <-l.links[to].closed:
		return l.lost(to)
	case <-ctx.Done():
		l.Close()
		return context.Cause(ctx)
	}
}

// TrySend implements ring.Link.
func (l *Link) TrySend(to int, f *ring.Frame) {
	if l.state(to) != nil {
		return
	}
	select {
	case l.pipes[l.rank][to] <- f:
	default:
	}
}

// Recv implements ring.Link. What a peer sent before it closed still arrives.
func (l *Link) Recv(ctx context.Context, from int) (*ring.Frame, error) {
	frames := l.pipes[from][l.rank]
	select {
	case <-l.closed:
		return nil, ring.ErrClosed
	case f := <-frames:
		return f, nil
	default:
	}
	select {
	case f := <-frames:
		return f, nil
	case <-l.closed:
		return nil, ring.ErrClosed
	case <-ctx.Done():
		l.Close()
		return nil, context.Cause(ctx)
	case <-l.links[from].closed:
	}
	select {
	case f := <-frames:
		return f, nil
	default:
		return nil, l.lost(from)
	}
}

// Abort implements ring.Link.
func (l *Link) Abort(culprit int) { l.close(culprit) }

// Close implements ring.Link.
func (l *Link) Close() error {
	l.close(l.rank)
	return nil
}

func (l *Link) close(culprit int) {
	l.once.Do(func() {
		l.culprit = culprit
		close(l.closed)
	})
}

// state tells whether this end or a peer's is closed.
func (l *Link) state(peer int) error {
	select {
	case <-l.closed:
		return ring.ErrClosed
	case <-l.links[peer].closed:
		return l.lost(peer)
	default:
		return nil
	}
}

// lost returns the error for a peer that is closed.
func (l *Link) lost(peer int) error {
	return &ring.LostError{Peer: l.links[peer].culprit, Err: ring.ErrClosed}
}

// cut returns a copy of f in parts of size bytes.
func cut(f *ring.Frame, size int) *ring.Frame {
	c := duplicate(f)
	b := c.Parts[0]
	c.Parts = nil
	for ; len(b) > size; b = b[size:] {
		c.Parts = append(c.Parts, b[:size])
	}
	c.Parts = append(c.Parts, b)
	f.Release()
	return c
}

// duplicate returns a copy of f that nobody owns.
func duplicate(f *ring.Frame) *ring.Frame {
	var b []byte
	for _, p := range f.Parts {
		b = append(b, p...)
	}
	return &ring.Frame{Parts: [][]byte{b}}
}
