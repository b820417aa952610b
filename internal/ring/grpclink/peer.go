package grpclink

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/metadata"

	"lockstep/internal/ring"
)

// dialTime bounds the time that a connection may take.
const dialTime = 5 * time.Second

// peerStream is the connection and the stream to one peer, made when first used.
type peerStream struct {
	mu     sync.Mutex
	stream grpc.ClientStream // under mu
	ready  bool              // it is known how frames go; under mu
	pipe   net.Conn          // where they go; nil: as messages; under mu
	shm    *region           // beside the pipe, or nil; under mu
	note   [ring.HeaderLen]byte
	rest   []byte // of a frame that TrySend began; under mu
	closed bool   // under mu

	conn  atomic.Pointer[grpc.ClientConn]
	inUse atomic.Int32 // frames that gRPC or a Send has

	hangMu sync.Mutex // taken behind mu, never held for long
	wire   net.Conn   // the pipe, for hangUp; under hangMu
	hung   bool       // under hangMu
}

// dial connects to the peer, if that is not done.
func (p *peerStream) dial(l *Link, to int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialLocked(l, to)
}

// REQUIRES: p.mu
func (p *peerStream) dialLocked(l *Link, to int) error {
	if p.stream != nil {
		return nil
	}
	if p.closed {
		return ring.ErrClosed
	}
	opts := append(DialOptions(), grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: dialTime}))
	if l.cfg.Credentials != nil {
		opts = append(opts, grpc.WithTransportCredentials(l.cfg.Credentials), grpc.WithContextDialer(l.dial))
	}
	conn, err := grpc.NewClient("passthrough:///"+l.cfg.Peers[to], append(opts, l.cfg.DialOptions...)...)
	if err != nil {
		return err
	}
	ctx := metadata.NewOutgoingContext(l.ctx, outgoingMetadata(l.key, to))
	stream, err := conn.NewStream(ctx, &passDesc, passMethod, grpc.CallContentSubtype(codecName))
	if err != nil {
		conn.Close()
		return fmt.Errorf("dial %s: %w", l.cfg.Peers[to], err)
	}
	p.stream = stream
	p.conn.Store(conn)
	l.wg.Go(func() { p.watch(l, to, stream) })
	return nil
}

// watch waits for the stream's status: nothing else comes back on it.
func (p *peerStream) watch(l *Link, to int, stream grpc.ClientStream) {
	err := stream.RecvMsg(new(incoming))
	if err == nil {
		err = fmt.Errorf("%w: a message on the way back", ring.ErrProtocol)
	}
	culprit, err := lost(to, err, stream.Trailer())
	l.fail(err, culprit)
}

// negotiate waits for the stream's header and opens the pipe that it offers.
//
// REQUIRES: p.mu
func (p *peerStream) negotiate(l *Link, to int) error {
	if p.ready {
		return nil
	}
	if err := p.dialLocked(l, to); err != nil {
		return err
	}
	header, err := p.stream.Header()
	if err != nil {
		<-l.done // the watcher knows why
		return l.err
	}
	if t := header.Get(keyTicket); len(t) == 1 {
		if p.pipe, p.shm, err = l.openPipe(to, t[0]); err != nil {
			return fmt.Errorf("open pipe: %w", err)
		}
	}
	p.ready = true
	return nil
}

// openPipe connects to a peer beside gRPC's connection.
func (l *Link) openPipe(to int, ticket string) (net.Conn, *region, error) {
	ctx, cancel := context.WithTimeout(l.ctx, dialTime)
	defer cancel()
	conn, err := l.dial(ctx, l.cfg.Peers[to])
	if err != nil {
		return nil, nil, err
	}
	if !l.out[to].hold(conn) {
		return nil, nil, ring.ErrClosed
	}
	return presentTicket(ctx, conn, l.cfg.Credentials, l.cfg.Peers[to], ticket, !l.server.apart.Load())
}

// hold notes the connection that hangUp closes, or closes it if that has been called.
func (p *peerStream) hold(conn net.Conn) bool {
	p.hangMu.Lock()
	defer p.hangMu.Unlock()
	if p.hung {
		conn.Close()
		return false
	}
	p.wire = conn
	return true
}

// hangUp closes the pipe, and so ends a Send that holds mu.
func (p *peerStream) hangUp() {
	p.hangMu.Lock()
	defer p.hangMu.Unlock()
	p.hung = true
	if p.wire != nil {
		p.wire.Close()
	}
}

// send hands a frame to the pipe or to gRPC.
func (p *peerStream) send(l *Link, to int, f *ring.Frame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.negotiate(l, to); err != nil {
		return l.broken(to, err)
	}
	if p.pipe != nil {
		p.inUse.Add(1)
		err := p.write(f)
		f.Release()
		p.inUse.Add(-1)
		if err != nil {
			return l.broken(to, err)
		}
		return nil
	}
	p.inUse.Add(1)
	if p.stream.SendMsg(newOutgoing(p, f)) != nil {
		<-l.done // the watcher knows why
		return l.err
	}
	return nil
}

// write writes a frame to the pipe, or a note about it.
//
// REQUIRES: p.mu
func (p *peerStream) write(f *ring.Frame) error {
	if len(p.rest) > 0 {
		if _, err := p.pipe.Write(p.rest); err != nil {
			return err
		}
		p.rest = nil
	}
	if p.shm != nil {
		if note, ok := p.shm.note(f, p.note[:]); ok {
			_, err := p.pipe.Write(note)
			return err
		}
	}
	for _, b := range f.Parts {
		if _, err := p.pipe.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// slot returns a frame in the region that is shared with the peer, if there is one.
func (p *peerStream) slot(l *Link, to int) *ring.Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.negotiate(l, to) != nil || p.shm == nil {
		return nil
	}
	return p.shm.frame()
}

// trySend sends a frame of one part if that does not have to wait.
func (p *peerStream) trySend(l *Link, to int, f *ring.Frame) {
	if !p.mu.TryLock() {
		return
	}
	if !p.closed && p.ready && p.pipe != nil && p.secure() {
		// A deadline would break TLS: others wait behind this frame, as they would for room.
		l.wg.Go(func() {
			defer p.mu.Unlock()
			p.pipe.Write(f.Parts[0]) // an error shows in the next Send
			f.Release()
		})
		return
	}
	defer p.mu.Unlock()
	switch {
	case p.closed || !p.ready || len(p.rest) > 0:
	case p.pipe != nil:
		p.pipe.SetWriteDeadline(time.Now().Add(tryTime))
		n, err := p.pipe.Write(f.Parts[0])
		p.pipe.SetWriteDeadline(time.Time{})
		if err != nil && n > 0 {
			p.rest = bytes.Clone(f.Parts[0][n:])
		}
		f.Release()
	case p.inUse.Load() == 0: // gRPC takes a short message at once
		p.inUse.Add(1)
		p.stream.SendMsg(newOutgoing(p, f)) // an error ends the link through the watcher
	}
}

// secure reports whether the pipe is encrypted.
//
// REQUIRES: p.mu
func (p *peerStream) secure() bool {
	switch p.pipe.(type) {
	case *net.TCPConn, *net.UnixConn:
		return false
	}
	return true
}

// tryTime bounds an attempt to send.
const tryTime = time.Millisecond

// done notes that gRPC needs a frame no more.
func (p *peerStream) done() { p.inUse.Add(-1) }

// notify tells a peer that this link ends and why. ctx bounds it.
func (p *peerStream) notify(ctx context.Context, l *Link, to int) {
	conn := p.conn.Load()
	if conn == nil {
		return
	}
	md := outgoingMetadata(l.key, to)
	maps.Copy(md, culpritMetadata(l.culprit))
	stream, err := conn.NewStream(metadata.NewOutgoingContext(ctx, md), &endDesc, endMethod, grpc.CallContentSubtype(codecName))
	if err != nil {
		return
	}
	if stream.CloseSend() == nil {
		stream.RecvMsg(new(incoming)) // the end is all that comes, or ctx ends
	}
}

// close frees the connection. The streams' ctx has ended, so nothing holds the lock.
func (p *peerStream) close() {
	p.hangUp()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.shm != nil {
		p.shm.drop()
		p.shm = nil
	}
	if conn := p.conn.Load(); conn != nil {
		conn.Close()
	}
}
