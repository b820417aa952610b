package ring

import (
	"context"
	"fmt"
)

// A Link carries frames between this member and any other member of its generation:
// reliably, in order for each pair. Ranks are those of Config. A Link is used by one
// operation at a time, but Send and Recv are called concurrently, also for one peer.
//
// A link is whole or it is lost: after an error of Send or Recv, or when ctx ended
// during one, all other calls fail too. The errors are a *LostError if a member is to
// blame, else they wrap the ctx's cause or ErrClosed.
type Link interface {
	// Send hands f over; the link owns it from then on, whatever is returned, and
	// releases it once it is on its way. Send may wait for room, but there is room for
	// 16 KiB in up to two frames to each peer that nobody receives yet. That it returns
	// nil does not mean that f has arrived. Calls for one peer come one after the other.
	Send(ctx context.Context, to int, f *Frame) error

	// TrySend is Send for a short frame, without any waiting: where it is not sure that
	// there is room, the frame is dropped.
	TrySend(to int, f *Frame)

	// Recv waits for the next frame of a peer. The caller owns it and releases it.
	Recv(ctx context.Context, from int) (*Frame, error)

	// Abort closes the link after what was sent is on its way, which it waits for only
	// briefly, and tells the peers that the member culprit is the reason.
	Abort(culprit int)

	// Close ends all waiting calls, here and at the peers, and frees what is under way.
	Close() error
}

// An Allocator is a link that has memory of its own for frames to a peer, from where they
// need not be copied.
type Allocator interface {
	// Frame returns a frame with room for n bytes, header included, to be filled and sent
	// to that peer or released; nil if there is no such memory. It may wait for some.
	Frame(ctx context.Context, to, n int) *Frame
}

// LostError is a link's report that a member cannot be reached any more.
type LostError struct {
	Peer int // rank
	Err  error
}

func (e *LostError) Error() string { return fmt.Sprintf("link to peer %d lost: %v", e.Peer, e.Err) }

func (e *LostError) Unwrap() error { return e.Err }
