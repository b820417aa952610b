package ring

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt marks a frame whose form, length or checksum is wrong.
	ErrCorrupt = errors.New("corrupt frame")

	// ErrProtocol marks a well-formed frame that must not come at this point.
	ErrProtocol = errors.New("unexpected frame")

	// ErrTimeout marks a peer from which nothing came before the deadline.
	ErrTimeout = errors.New("no frame before the deadline")

	// ErrAborted marks an operation that another member has given up, for the sake of
	// the peer that is named.
	ErrAborted = errors.New("aborted by another member")

	// ErrClosed is what the calls of a closed link return.
	ErrClosed = errors.New("link closed")
)

// PeerError says which member an operation failed for.
type PeerError struct {
	Generation uint64
	Step       uint64
	Peer       int // rank
	Err        error
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("ring: generation %d, step %d, peer %d: %v", e.Generation, e.Step, e.Peer, e.Err)
}

func (e *PeerError) Unwrap() error { return e.Err }
