package grpclink

import "sync"

// bufferPool keeps the buffers of HTTP/2 frames. Unlike gRPC's own it does not clear
// them: whatever reads a buffer here reads only what came from the socket.
type bufferPool struct{ full sync.Pool }

// frameBuffer is the capacity of a buffer: the largest HTTP/2 frame that gRPC sends.
const frameBuffer = 16 << 10

func (p *bufferPool) Get(n int) *[]byte {
	if n > frameBuffer {
		b := make([]byte, n)
		return &b
	}
	b, ok := p.full.Get().(*[]byte)
	if !ok {
		s := make([]byte, frameBuffer)
		b = &s
	}
	*b = (*b)[:n]
	return b
}

func (p *bufferPool) Put(b *[]byte) {
	if cap(*b) == frameBuffer {
		p.full.Put(b)
	}
}
