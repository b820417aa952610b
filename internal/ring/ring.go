package ring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"sync"
	"time"
)

// Packing is the lossless wire form of integers: blocks of up to BlockLen values,
// each behind one byte that gives the width of its values.
type Packing interface {
	BlockLen() int
	MaxLen(n int) int                         // the most bytes that n values need
	Pack(dst []byte, src []int64) int         // returns the bytes written
	Width(first byte) (w int, ok bool)        // bytes a value in the block behind it
	Unpack(dst []int64, src []byte, w int)    // dst = values, one block or less
	UnpackAdd(dst []int64, src []byte, w int) // dst += values, one block or less
}

// Config says what a Ring is part of. Rank, World, Job, Generation, Link (unless World
// is 1), Packing and Timeout are required.
type Config struct {
	Rank, World int    // this member's place in ring order, and the number of members
	Job         string // the job's id
	Generation  uint64 // the membership's number
	Link        Link   // to the other members; an operation that fails ends it
	Packing     Packing

	// Timeout returns the longest time that one frame is waited for. It is asked anew
	// for every operation, so it can follow the measured step time.
	Timeout func() time.Duration

	// SegmentLen is the number of values in a full frame, the same on all members; 0 means
	// what suits the vector, from 16384 to 65536.
	SegmentLen int

	// HalfResults makes AllReduce round its results to bfloat16, ties to even, and send them
	// as such: half the bytes of the second phase, for slow networks. The same everywhere.
	HalfResults bool

	// Algorithm is for tests and measurements; Auto, the default, chooses by size. What is
	// longer than a segment goes around the ring in any case.
	Algorithm Algorithm
}

func (c *Config) check() error {
	switch {
	case c.World < 1 || c.World > math.MaxInt16:
		return fmt.Errorf("world of %d members", c.World)
	case c.Rank < 0 || c.Rank >= c.World:
		return fmt.Errorf("rank %d in a world of %d", c.Rank, c.World)
	case c.Link == nil && c.World > 1:
		return errors.New("no link")
	case c.Packing == nil:
		return errors.New("no packing")
	case c.Timeout == nil:
		return errors.New("no timeout")
	case c.SegmentLen < 0 || c.SegmentLen > 1<<24:
		return fmt.Errorf("segments of %d values", c.SegmentLen)
	case c.Algorithm < Auto || c.Algorithm > Around:
		return fmt.Errorf("algorithm %d", c.Algorithm)
	case c.Packing.BlockLen() > maxBlock:
		return fmt.Errorf("blocks of %d values", c.Packing.BlockLen())
	}
	return nil
}

// Bounds of a segment that the vector's length decides, in values. Frames cost something
// each; a chunk wants several, so that what is added and what is on its way overlap.
const (
	leastSegment = 16384
	mostSegment  = 65536
	segments     = 4 // of a chunk, between the bounds
)

// shortest and longest bound the segments of all vectors.
func (c *Config) shortest() int { return cmp.Or(c.SegmentLen, leastSegment) }
func (c *Config) longest() int  { return cmp.Or(c.SegmentLen, mostSegment) }

// segment is the length of a segment of a vector of n values.
func (c *Config) segment(n int) int {
	chunk := (n + c.World - 1) / c.World
	return min(max((chunk+segments-1)/segments, c.shortest()), c.longest())
}

// maxBlock bounds a block of packed values, for the scratch space that one needs
// when it straddles two pieces of a frame.
const maxBlock = 1024

// Ring is one member's end of the all-reduce. Its operations are called by one
// goroutine, one at a time; Stats by any.
type Ring struct {
	cfg      Config
	job      uint64
	others   []int // all ranks but this one
	counters counters
	alloc    Allocator // the link, if it is one
	large    framePool // a segment in its widest form
	small    framePool
	sends    []sync.Mutex // by rank: one Send at a time for one peer

	// Of the present operation, or the last one.
	began   bool
	op      Op
	ctx     context.Context
	watch   watch
	notices sync.Mutex // one at a time
	came    progress   // what its sender follows
	sent    chan error // what came of its sender
	payload cursor     // of the frame at hand
	scratch [8 * maxBlock]byte
	exact   exactBody
	words   wordsBody
	floats  floatBody

	once sync.Once
	err  error         // why the ring has failed; written before done is closed
	done chan struct{} // closed when it has failed
}

// smallFrame is the capacity of frames for small vectors and notices.
const smallFrame = 4096

// New makes a Ring. It starts nothing.
func New(cfg Config) (*Ring, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("configure ring: %w", err)
	}
	r := &Ring{cfg: cfg, job: jobHash(cfg.Job), sends: make([]sync.Mutex, cfg.World),
		sent: make(chan error, 1), done: make(chan struct{})}
	r.alloc, _ = cfg.Link.(Allocator)
	r.watch.r = r
	r.came.wake = make(chan struct{}, 1)
	for i := range cfg.World {
		if i != cfg.Rank {
			r.others = append(r.others, i)
		}
	}
	r.large.size = max(smallFrame, HeaderLen+max(4*cfg.longest(), cfg.Packing.MaxLen(cfg.longest())))
	r.small.size = smallFrame
	return r, nil
}

func jobHash(job string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(job))
	return h.Sum64()
}

// frame returns an empty frame to a peer with room for a payload of n bytes.
func (r *Ring) frame(to, n int) *Frame {
	if HeaderLen+n <= smallFrame {
		return r.small.get()
	}
	if r.alloc != nil {
		if f := r.alloc.Frame(r.ctx, to, HeaderLen+n); f != nil {
			return f
		}
	}
	return r.large.get()
}
