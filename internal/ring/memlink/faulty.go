package memlink

import (
	"context"
	"sync"
	"time"

	"lockstep/internal/ring"
)

// A Fault says what happens to frame n, counted from 0, that a member sends to the member
// to. It is called by the sender. A peer's frames are counted by themselves.
type Fault func(to, n int) Action

// Action is what happens to a frame.
type Action struct {
	Drop      bool
	Duplicate bool          // it arrives twice
	Corrupt   bool          // one of its bits is flipped
	Cut       int           // the frame loses that many bytes at its end
	Delay     time.Duration // it leaves later, and so do those behind it
	Close     bool          // the sender's link is closed instead
	Freeze    bool          // from here on the sender says and hears nothing
}

// Faulty is a link whose frames suffer from a Fault. It implements ring.Link.
type Faulty struct {
	ring.Link
	fault Fault

	mu     sync.Mutex
	sent   map[int]int // by peer
	frozen chan struct{}
	thaw   chan struct{} // closed when the ring gives up
	once   sync.Once
	freeze sync.Once
}

// WithFaults returns a link that does to the frames it sends what fault says.
func WithFaults(l ring.Link, fault Fault) *Faulty {
	return &Faulty{Link: l, fault: fault, sent: map[int]int{}, frozen: make(chan struct{}), thaw: make(chan struct{})}
}

// Send implements ring.Link.
func (l *Faulty) Send(ctx context.Context, to int, f *ring.Frame) error {
	l.mu.Lock()
	n := l.sent[to]
	l.sent[to]++
	l.mu.Unlock()
	a := l.fault(to, n)
	switch {
	case a.Close:
		l.Link.Close()
	case a.Freeze:
		l.freeze.Do(func() { close(l.frozen) })
	case a.Drop:
		f.Release()
		return nil
	case a.Delay > 0:
		if err := l.sleep(ctx, a.Delay); err != nil {
			return err
		}
	}
	if l.isFrozen() {
		f.Release()
		return l.sleep(ctx, 0)
	}
	if a.Duplicate {
		if err := l.Link.Send(ctx, to, duplicate(f)); err != nil {
			return err
		}
	}
	if a.Corrupt || a.Cut > 0 {
		f = damage(f, a)
	}
	return l.Link.Send(ctx, to, f)
}

// Frame implements ring.Allocator.
func (l *Faulty) Frame(ctx context.Context, to, n int) *ring.Frame {
	if a, ok := l.Link.(ring.Allocator); ok {
		return a.Frame(ctx, to, n)
	}
	return nil
}

// TrySend implements ring.Link.
func (l *Faulty) TrySend(to int, f *ring.Frame) {
	if !l.isFrozen() {
		l.Link.TrySend(to, f)
	}
}

// Recv implements ring.Link.
func (l *Faulty) Recv(ctx context.Context, from int) (*ring.Frame, error) {
	if l.isFrozen() {
		return nil, l.sleep(ctx, 0)
	}
	f, err := l.Link.Recv(ctx, from)
	if l.isFrozen() {
		if err == nil {
			f.Release()
		}
		return nil, l.sleep(ctx, 0)
	}
	return f, err
}

// Abort implements ring.Link.
func (l *Faulty) Abort(culprit int) {
	l.once.Do(func() { close(l.thaw) })
	if l.isFrozen() {
		return // the others must find out for themselves
	}
	l.Link.Abort(culprit)
}

// Close implements ring.Link.
func (l *Faulty) Close() error {
	l.once.Do(func() { close(l.thaw) })
	return l.Link.Close()
}

func (l *Faulty) isFrozen() bool {
	select {
	case <-l.frozen:
		return true
	default:
		return false
	}
}

// sleep waits for d, or with 0 until the link is closed.
func (l *Faulty) sleep(ctx context.Context, d time.Duration) error {
	var after <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-after:
		return nil
	case <-l.thaw:
		return ring.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// damage returns a copy of f with what an action does to its bytes.
func damage(f *ring.Frame, a Action) *ring.Frame {
	c := duplicate(f)
	f.Release()
	b := c.Parts[0]
	if a.Corrupt {
		b[len(b)/2] ^= 0x10
	}
	c.Parts[0] = b[:max(len(b)-a.Cut, 0)]
	return c
}
