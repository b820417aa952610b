package grpclink

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"
	"unsafe"

	"lockstep/internal/ring"
)

// On one host a frame need not pass through the kernel: the sender packs it in a slot of
// memory that both processes have mapped, and sends only a note through the pipe.
//
//		region   | waiting | state 0 | state 1 | ... |  slot 0  |  slot 1  | ... |
//		          4 bytes   4 bytes each              shmSlot bytes each
//		note     | magic, 4 bytes | slot | length | zeros, up to ring.HeaderLen bytes |
//
//	 1. The sender takes a slot whose state is 0, sets it to 1, fills it, sends the note.
//	 2. The receiver uses the frame where it is, and sets the state to 0 when it is
//	    released. If waiting is 1 it sets that to 0 and sends one byte back.
//	 3. A sender that finds no slot sets waiting to 1, looks again, and waits for a byte.
//
// Frames that are short, or that were not made in a slot, go through the pipe itself. The
// region is unmapped when its link is closed and the last frame in it is released.
const (
	shmSlots   = 12
	shmSlot    = 640 << 10 // a segment of 65536 values in its widest form, and some
	shmHead    = 4096
	shmLen     = shmHead + shmSlots*shmSlot
	noteMagic  = 0x314e524c // "LRN1"
	slotFree   = 0
	slotFilled = 1
)

// region is one mapping of the memory between two members.
type region struct {
	mem    []byte
	unmap  func([]byte) error
	conn   net.Conn // notes and bytes for waiting senders
	frames [shmSlots]slot
	refs   atomic.Int32 // the link, and frames that are in use here
}

// slot is this side's frame in a slot.
type slot struct {
	region *region
	index  int
	frame  *ring.Frame
	parts  [1][]byte
	mine   bool // this side fills it
	sent   bool // and has sent it
}

// liveRegions counts mappings, for tests.
var liveRegions atomic.Int32

func newRegion(mem []byte, unmap func([]byte) error, conn net.Conn, sender bool) *region {
	r := &region{mem: mem, unmap: unmap, conn: conn}
	r.refs.Store(1)
	for i := range r.frames {
		s := &r.frames[i]
		s.region, s.index, s.mine = r, i, sender
		s.frame = ring.NewFrame(r.slot(i), s)
	}
	liveRegions.Add(1)
	return r
}

func (r *region) slot(i int) []byte {
	at := shmHead + i*shmSlot
	return r.mem[at : at+shmSlot : at+shmSlot]
}

// word returns one of the words that both sides change.
func (r *region) word(i int) *uint32 { return (*uint32)(unsafe.Pointer(&r.mem[4*i])) }

func (r *region) waiting() *uint32    { return r.word(0) }
func (r *region) state(i int) *uint32 { return r.word(1 + i) }

// hold takes a reference, unless the region is gone.
func (r *region) hold() bool {
	for {
		n := r.refs.Load()
		if n == 0 {
			return false
		}
		if r.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// drop gives a reference back.
func (r *region) drop() {
	if r.refs.Add(-1) == 0 {
		r.unmap(r.mem)
		r.mem = nil
		liveRegions.Add(-1)
	}
}

// frame returns a frame in a free slot, waiting for one. It returns nil when the pipe is
// closed. It is called by one sender at a time.
func (r *region) frame() *ring.Frame {
	if !r.hold() {
		return nil
	}
	for {
		if s := r.take(); s != nil {
			return s.frame
		}
		atomic.StoreUint32(r.waiting(), 1)
		if s := r.take(); s != nil {
			if atomic.CompareAndSwapUint32(r.waiting(), 1, 0) || r.heard() {
				return s.frame
			}
			s.Free(nil)
			return nil
		}
		if !r.heard() {
			r.drop()
			return nil
		}
	}
}

// take marks a free slot as filled, if there is one.
func (r *region) take() *slot {
	for i := range r.frames {
		if atomic.CompareAndSwapUint32(r.state(i), slotFree, slotFilled) {
			r.frames[i].sent = false
			return &r.frames[i]
		}
	}
	return nil
}

// heard waits for the receiver's byte.
func (r *region) heard() bool {
	var b [1]byte
	n, err := r.conn.Read(b[:])
	return n == 1 && err == nil
}

// Free implements ring.Owner, on both sides.
func (s *slot) Free(*ring.Frame) {
	r := s.region
	if !s.mine || !s.sent {
		atomic.StoreUint32(r.state(s.index), slotFree)
	}
	if !s.mine && atomic.CompareAndSwapUint32(r.waiting(), 1, 0) {
		r.conn.Write([]byte{1}) // if the pipe is broken the sender hears of it
	}
	r.drop()
}

// note returns what is sent for a frame, if that lies in a slot of the region. The slot is
// the receiver's from then on.
func (r *region) note(f *ring.Frame, buf []byte) ([]byte, bool) {
	s, ok := f.Owner.(*slot)
	if !ok || s.region != r || len(f.Parts) != 1 {
		return nil, false
	}
	s.sent = true
	b := buf[:ring.HeaderLen]
	clear(b)
	binary.LittleEndian.PutUint32(b, noteMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(s.index))
	binary.LittleEndian.PutUint32(b[8:], uint32(len(f.Parts[0])))
	return b, true
}

// isNote tells whether a pipe's next bytes are a note.
func isNote(head []byte) bool { return binary.LittleEndian.Uint32(head) == noteMagic }

// filled returns the frame that a note is about.
func (r *region) filled(note []byte) (*ring.Frame, error) {
	if !r.hold() { // the memory may go at any time
		return nil, ring.ErrClosed
	}
	i, n := binary.LittleEndian.Uint32(note[4:]), binary.LittleEndian.Uint32(note[8:])
	if i >= shmSlots || n < ring.HeaderLen || n > shmSlot || atomic.LoadUint32(r.state(int(i))) != slotFilled {
		r.drop()
		return nil, fmt.Errorf("%w: note of %d bytes in slot %d", ring.ErrCorrupt, n, i)
	}
	s := &r.frames[i]
	s.parts[0] = r.slot(int(i))[:n]
	s.frame.Parts = s.parts[:]
	return s.frame, nil
}

// Frame implements ring.Allocator.
func (l *Link) Frame(ctx context.Context, to, n int) *ring.Frame {
	if n > shmSlot {
		return nil
	}
	l.bind(ctx)
	return l.out[to].slot(l, to)
}
