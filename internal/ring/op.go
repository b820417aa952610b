package ring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// Op names one operation. All members run the same operations with the same sizes, in
// the order of (Step, Attempt, Bucket), each of which must be above the one before.
type Op struct {
	Step    uint64
	Attempt uint32 // of the step, counted from 0
	Bucket  uint32 // of the attempt
}

// Compare orders operations.
func (o Op) Compare(p Op) int {
	return cmp.Or(cmp.Compare(o.Step, p.Step), cmp.Compare(o.Attempt, p.Attempt), cmp.Compare(o.Bucket, p.Bucket))
}

// run performs one operation on b, a vector of n values.
func (r *Ring) run(ctx context.Context, op Op, b body, n int) error {
	if r.ended() {
		return r.err
	}
	if r.began && op.Compare(r.op) <= 0 {
		return fmt.Errorf("reduce: operation %v does not follow %v", op, r.op)
	}
	r.began, r.op, r.ctx = true, op, ctx
	r.counters.operations.Add(1)
	r.counters.floatRing.Add(uint64(8 * n / r.cfg.World * (r.cfg.World - 1)))
	if r.cfg.World > 1 {
		r.watch.start(r.cfg.Timeout())
		defer r.watch.stop()
	}
	if err := r.perform(b, n); err != nil {
		return r.fail(err)
	}
	return nil
}

// perform runs the algorithm that fits.
func (r *Ring) perform(b body, n int) error {
	switch r.choose(n, b.ordered()) {
	case Alone:
		return b.finish(span{0, n})
	case Direct:
		return r.everyone(b, n)
	case Doubling:
		return r.double(b, n)
	default:
		return r.around(b, n)
	}
}

// ended tells whether an operation has failed.
func (r *Ring) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// fail ends the ring for its first error. It closes the link, which tells the peers who
// is to blame and ends all that waits in it. It returns the first error.
func (r *Ring) fail(err error) error {
	r.once.Do(func() {
		r.err = err
		culprit := r.cfg.Rank
		var pe *PeerError
		switch {
		case r.ctx.Err() != nil:
			r.err = fmt.Errorf("reduce: %w", context.Cause(r.ctx))
		case errors.As(err, &pe):
			culprit = pe.Peer
		}
		close(r.done)
		if r.cfg.Link != nil {
			r.cfg.Link.Abort(culprit)
		}
	})
	return r.err
}

// blame fails the ring for a peer, or for the one that the link names.
func (r *Ring) blame(peer int, err error) error {
	var lost *LostError
	if errors.As(err, &lost) {
		peer = lost.Peer
	}
	return r.fail(&PeerError{Generation: r.cfg.Generation, Step: r.op.Step, Peer: peer, Err: err})
}
