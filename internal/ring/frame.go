package ring

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"
)

// HeaderLen is the length of a frame's header in bytes.
const HeaderLen = 64

const (
	frameMagic   = 0x3146524c // "LRF1"
	frameVersion = 1
)

type kind uint8

const (
	kindSums kind = iota + 1
	kindFloats
	kindWords
	kindWaiting
	kindHalves
)

// A Frame is one message: a header and its payload. Who holds a Frame is its only
// user and either passes it on or calls Release, once.
type Frame struct {
	// Parts are the frame's bytes in order. The borders between them mean nothing.
	Parts [][]byte

	// Owner gets the frame back when it is released; nil if nobody wants it.
	Owner Owner

	// Shared tells that the frame lies in memory that its sender and its receiver have in common: nothing can happen to
	// its payload on the way, so that only the header has a checksum.
	Shared bool

	buf []byte // what a frame to be sent is written to
	one [1][]byte
}

// Owner takes back frames that are done with.
type Owner interface{ Free(*Frame) }

// NewFrame returns a frame in memory that a link shares with a peer (see Allocator).
func NewFrame(buf []byte, owner Owner) *Frame { return &Frame{Owner: owner, Shared: true, buf: buf} }

// Release gives the frame back to its owner.
func (f *Frame) Release() {
	if f.Owner != nil {
		f.Owner.Free(f)
	}
}

// Len returns the number of bytes in the frame.
func (f *Frame) Len() int {
	n := 0
	for _, p := range f.Parts {
		n += len(p)
	}
	return n
}

// framePool hands out frames to send, of one capacity.
type framePool struct {
	pool sync.Pool
	size int
}

func (p *framePool) get() *Frame {
	if f, ok := p.pool.Get().(*Frame); ok {
		return f
	}
	return &Frame{Owner: p, buf: make([]byte, p.size)}
}

// Free implements Owner.
func (p *framePool) Free(f *Frame) { p.pool.Put(f) }

// header is what a frame says about its payload.
type header struct {
	job        uint64
	generation uint64
	op         Op
	offset     uint64
	count      uint32
	length     uint32
	from       uint16
	kind       kind
	round      uint16
}

// seal writes h in front of the payload of h.length bytes that f.buf already holds.
func (f *Frame) seal(h header) {
	b := f.buf[:HeaderLen+int(h.length)]
	le := binary.LittleEndian
	le.PutUint32(b[0:], frameMagic)
	le.PutUint64(b[8:], h.job)
	le.PutUint64(b[16:], h.generation)
	le.PutUint64(b[24:], h.op.Step)
	le.PutUint32(b[32:], h.op.Attempt)
	le.PutUint32(b[36:], h.op.Bucket)
	le.PutUint64(b[40:], h.offset)
	le.PutUint32(b[48:], h.count)
	le.PutUint32(b[52:], h.length)
	le.PutUint16(b[56:], h.from)
	b[58], b[59] = byte(h.kind), frameVersion
	le.PutUint16(b[60:], h.round)
	f.one[0] = b
	f.Parts = f.one[:]
	f.sum()
}

// What the checksum covers.
const (
	sumAll    = 0
	sumHeader = 1
)

// sum writes the checksum of a frame of one part, and what it covers.
func (f *Frame) sum() {
	b, le := f.Parts[0], binary.LittleEndian
	le.PutUint16(b[62:], sumAll)
	covered := b[8:]
	if f.Shared {
		le.PutUint16(b[62:], sumHeader)
		covered = b[8:HeaderLen]
	}
	le.PutUint32(b[4:], crc32.Checksum(covered, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// open checks the form and checksum of a frame, in shared memory or not, and returns its
// header and payload. Its errors wrap ErrCorrupt.
func open(parts [][]byte, shared bool) (header, cursor, error) {
	var raw [HeaderLen]byte
	total := 0
	for _, p := range parts {
		total += len(p)
	}
	if total < HeaderLen {
		return header{}, cursor{}, fmt.Errorf("%w: %d bytes", ErrCorrupt, total)
	}
	c := cursor{parts: parts}
	c.copyTo(raw[:])
	le := binary.LittleEndian
	h := header{
		job:        le.Uint64(raw[8:]),
		generation: le.Uint64(raw[16:]),
		op:         Op{Step: le.Uint64(raw[24:]), Attempt: le.Uint32(raw[32:]), Bucket: le.Uint32(raw[36:])},
		offset:     le.Uint64(raw[40:]),
		count:      le.Uint32(raw[48:]),
		length:     le.Uint32(raw[52:]),
		from:       le.Uint16(raw[56:]),
		kind:       kind(raw[58]),
		round:      le.Uint16(raw[60:]),
	}
	switch {
	case le.Uint32(raw[0:]) != frameMagic || raw[59] != frameVersion:
		return header{}, cursor{}, fmt.Errorf("%w: not a frame", ErrCorrupt)
	case total != HeaderLen+int(h.length):
		return header{}, cursor{}, fmt.Errorf("%w: %d bytes of payload, %d announced", ErrCorrupt, total-HeaderLen, h.length)
	case sumOf(parts, raw[:], shared) != le.Uint32(raw[4:]):
		return header{}, cursor{}, fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	return h, c, nil
}

// FrameLen returns the length of the frame that begins with these HeaderLen bytes, for
// links that carry frames on a stream of bytes. Its errors wrap ErrCorrupt.
func FrameLen(head []byte) (int, error) {
	n := binary.LittleEndian.Uint32(head[52:])
	if binary.LittleEndian.Uint32(head) != frameMagic || head[59] != frameVersion || n > maxPayload {
		return 0, fmt.Errorf("%w: not the beginning of a frame", ErrCorrupt)
	}
	return HeaderLen + int(n), nil
}

// maxPayload bounds what a header may make a receiver allocate.
const maxPayload = 1 << 28

// sumOf returns the checksum that a frame should have. Only one in shared memory may leave out its payload.
func sumOf(parts [][]byte, head []byte, shared bool) uint32 {
	if shared && binary.LittleEndian.Uint16(head[62:]) == sumHeader {
		return crc32.Checksum(head[8:], castagnoli)
	}
	return checksum(parts)
}

// checksum returns the CRC of everything behind the first 8 bytes.
func checksum(parts [][]byte) uint32 {
	skip, sum := 8, uint32(0)
	for _, p := range parts {
		n := min(skip, len(p))
		skip -= n
		sum = crc32.Update(sum, castagnoli, p[n:])
	}
	return sum
}
