package ring

import (
	"sync/atomic"
	"time"
)

// Stats counts what a Ring has sent, received and refused since it was made.
type Stats struct {
	Operations     uint64
	FramesSent     uint64
	FramesReceived uint64
	BytesSent      uint64 // headers and payloads
	BytesReceived  uint64

	// FloatRingBytes is what a ring of float32 without any headers would have sent
	// for the same vectors: 2 (W-1)/W * 4 bytes a value.
	FloatRingBytes uint64

	// Frames that were refused, by reason.
	Corrupt         uint64 // form, length or checksum
	WrongJob        uint64
	WrongGeneration uint64
	Stale           uint64 // of an earlier operation
	Unexpected      uint64 // not the frame that had to come next
}

// Waited is how long operations have been blocked for frames of others, in all. It may be called at any time.
func (r *Ring) Waited() time.Duration { return time.Duration(r.counters.waited.Load()) }

type counters struct {
	operations, framesSent, framesReceived, bytesSent, bytesReceived, floatRing atomic.Uint64
	corrupt, wrongJob, wrongGeneration, stale, unexpected                       atomic.Uint64
	waited                                                                      atomic.Int64 // nanoseconds
}

// Stats returns the present counts. It may be called at any time.
func (r *Ring) Stats() Stats {
	c := &r.counters
	return Stats{
		Operations:      c.operations.Load(),
		FramesSent:      c.framesSent.Load(),
		FramesReceived:  c.framesReceived.Load(),
		BytesSent:       c.bytesSent.Load(),
		BytesReceived:   c.bytesReceived.Load(),
		FloatRingBytes:  c.floatRing.Load(),
		Corrupt:         c.corrupt.Load(),
		WrongJob:        c.wrongJob.Load(),
		WrongGeneration: c.wrongGeneration.Load(),
		Stale:           c.stale.Load(),
		Unexpected:      c.unexpected.Load(),
	}
}
