package ring

import "sync/atomic"

// around runs both phases of the ring algorithm on b.
func (r *Ring) around(b body, n int) error {
	cfg := &r.cfg
	p := plan{rank: cfg.Rank, world: cfg.World, n: n, segment: cfg.segment(n)}
	r.came.reset()
	go func() { r.sent <- r.sendAll(b, p) }()
	err := r.recvAll(b, p)
	if err != nil {
		r.fail(err) // so that the sender ends
	} else {
		r.watch.expect((cfg.Rank + 1) % cfg.World) // to take what is left
	}
	if sendErr := <-r.sent; err == nil {
		err = sendErr
	}
	return err
}

// progress counts the segments that have come in, for the sender to follow.
type progress struct {
	n    atomic.Int64
	wake chan struct{} // capacity 1
}

func (p *progress) reset() {
	p.n.Store(0)
	select {
	case <-p.wake:
	default:
	}
}

func (p *progress) add() {
	p.n.Add(1)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// wait blocks until n segments have come in. It returns false if the ring has failed.
func (p *progress) wait(n int64, done <-chan struct{}) bool {
	for p.n.Load() < n {
		select {
		case <-p.wake:
		case <-done:
			return false
		}
	}
	return true
}

// sendAll sends every round's segments to the successor, each as soon as it is there.
func (r *Ring) sendAll(b body, p plan) error {
	next := (p.rank + 1) % p.world
	need := int64(0)
	for round := range p.rounds() {
		chunk := p.sent(round)
		for i := range p.segments(chunk) {
			if round > 0 {
				need++
				if !r.came.wait(need, r.done) {
					return r.err
				}
			}
			if err := r.send(next, r.pack(next, b, round, p.cut(chunk, i), round <= p.lastSum())); err != nil {
				return err
			}
		}
	}
	return nil
}

// recvAll takes every round's segments from the predecessor.
func (r *Ring) recvAll(b body, p plan) error {
	prev := (p.rank + p.world - 1) % p.world
	for round := range p.rounds() {
		chunk := p.sent(round + 1)
		for i := range p.segments(chunk) {
			s := p.cut(chunk, i)
			if err := r.take(prev, b, round, s, round <= p.lastSum()); err != nil {
				return err
			}
			if round == p.lastSum() {
				if err := b.finish(s); err != nil {
					return err
				}
			}
			r.came.add()
		}
	}
	return nil
}
