package grpclink

import (
	"bufio"
	"io"
	"net"
	"sync"

	"google.golang.org/grpc"

	"lockstep/internal/ring"
)

// inbound is where one peer's frames come in.
type inbound struct {
	ready   chan struct{}     // closed when the stream is there
	stream  grpc.ServerStream // set before ready is closed, as are the next two
	offered bool              // the peer was given a ticket, so frames come through a pipe
	ticket  ticket

	mu     sync.Mutex
	taken  bool // a stream is there; under mu
	closed bool // under mu

	piped chan struct{} // closed when the pipe is there
	conn  net.Conn      // set before piped is closed
	r     *bufio.Reader // of conn
	shm   *region       // beside conn, or nil
}

// headBuffer is read ahead: a header and a small frame behind it at once. Larger
// payloads go straight to their frame.
const headBuffer = 4096

// attach takes the pipe.
func (p *inbound) attach(conn net.Conn, shared *region) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.conn != nil {
		if shared != nil {
			shared.drop()
		}
		return ring.ErrClosed
	}
	p.conn, p.r, p.shm = conn, bufio.NewReaderSize(conn, headBuffer), shared
	close(p.piped)
	return nil
}

// close ends the pipe and a Recv that waits on it.
func (p *inbound) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.conn != nil {
		p.conn.Close()
	}
	if p.shm != nil {
		p.shm.drop()
	}
}

// recv returns the next frame.
func (p *inbound) recv(done <-chan struct{}) (*ring.Frame, error) {
	if !opened(p.ready, done) {
		return nil, ring.ErrClosed
	}
	if !p.offered {
		in := incomingPool.Get().(*incoming)
		if err := p.stream.RecvMsg(in); err != nil {
			incomingPool.Put(in)
			return nil, err
		}
		return &in.frame, nil
	}
	if !opened(p.piped, done) {
		return nil, ring.ErrClosed
	}
	return readFrame(p.r, p.shm)
}

// opened waits for a channel to be closed, or returns false when done is.
func opened(c, done <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
	}
	select {
	case <-c:
		return true
	case <-done:
		return false
	}
}

// readFrame reads one frame into a buffer of its own, or finds it in the shared region.
func readFrame(r *bufio.Reader, shared *region) (*ring.Frame, error) {
	head, err := r.Peek(ring.HeaderLen)
	if err != nil {
		return nil, err
	}
	if shared != nil && isNote(head) {
		f, err := shared.filled(head)
		r.Discard(ring.HeaderLen)
		return f, err
	}
	n, err := ring.FrameLen(head)
	if err != nil {
		return nil, err
	}
	b := pipedPool.Get().(*piped)
	if cap(b.buf) < n {
		b.buf = make([]byte, max(n, smallPiped))
	}
	b.one[0] = b.buf[:n]
	b.frame.Parts = b.one[:]
	if _, err := io.ReadFull(r, b.one[0]); err != nil {
		return nil, err
	}
	return &b.frame, nil
}

// piped is a frame that came through a pipe.
type piped struct {
	frame ring.Frame
	one   [1][]byte
	buf   []byte
}

// smallPiped is the least capacity of a buffer.
const smallPiped = 16 << 10

var pipedPool = sync.Pool{New: func() any {
	p := new(piped)
	p.frame.Owner = p
	return p
}}

// Free implements ring.Owner.
func (p *piped) Free(*ring.Frame) {
	p.buf = p.buf[:cap(p.buf)]
	pipedPool.Put(p)
}
