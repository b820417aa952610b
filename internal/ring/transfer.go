package ring

import (
	"errors"
	"time"
)

// header returns the header of a frame of the present operation with the values of s.
func (r *Ring) header(k kind, round int, s span, length int) header {
	return header{
		job: r.job, generation: r.cfg.Generation, op: r.op,
		offset: uint64(s.off), count: uint32(s.n), length: uint32(length),
		from: uint16(r.cfg.Rank), kind: k, round: uint16(round),
	}
}

// pack makes a frame to a peer with the values of s.
func (r *Ring) pack(to int, b body, round int, s span, sums bool) *Frame {
	f := r.frame(to, b.room(s.n))
	k, length := b.pack(f.buf[HeaderLen:], s, sums)
	f.seal(r.header(k, round, s, length))
	return f
}

// send hands a sealed frame to the link.
func (r *Ring) send(to int, f *Frame) error {
	n := f.Len()
	r.sends[to].Lock()
	err := r.cfg.Link.Send(r.ctx, to, f)
	r.sends[to].Unlock()
	if err != nil {
		return r.blame(to, err)
	}
	r.counters.framesSent.Add(1)
	r.counters.bytesSent.Add(uint64(n))
	return nil
}

// recv returns the payload of the next frame of a peer, which must have the header
// want, but for its length and sender. The caller releases the frame.
func (r *Ring) recv(from int, want header) (*Frame, cursor, error) {
	r.watch.expect(from)
	for {
		begin := time.Now()
		f, err := r.cfg.Link.Recv(r.ctx, from)
		r.counters.waited.Add(int64(time.Since(begin)))
		if err != nil {
			if errors.Is(err, ErrCorrupt) {
				r.counters.corrupt.Add(1)
			}
			return nil, cursor{}, r.blame(from, err)
		}
		r.counters.framesReceived.Add(1)
		r.counters.bytesReceived.Add(uint64(f.Len()))
		h, payload, err := open(f.Parts, f.Shared)
		if err != nil {
			f.Release()
			r.counters.corrupt.Add(1)
			return nil, cursor{}, r.blame(from, err)
		}
		pass, err := r.judge(from, h, want)
		if pass {
			return f, payload, nil
		}
		f.Release()
		if err != nil {
			return nil, cursor{}, err
		}
	}
}

// judge tells whether a frame is the one that is wanted, an error if it must not be
// here, or neither if it is to be dropped.
func (r *Ring) judge(from int, h, want header) (bool, error) {
	n := &r.counters
	order := h.op.Compare(r.op)
	switch {
	case h.job != r.job:
		n.wrongJob.Add(1)
		return false, nil
	case h.generation != r.cfg.Generation:
		n.wrongGeneration.Add(1)
		return false, nil
	case order < 0:
		n.stale.Add(1)
		return false, nil
	case order == 0 && int(h.from) == from && h.kind == kindWaiting && h.offset < uint64(r.cfg.World):
		r.watch.named(from, int(h.offset))
		return false, nil
	}
	want.from, want.length = uint16(from), h.length
	if h != want {
		n.unexpected.Add(1)
		return false, r.blame(from, ErrProtocol)
	}
	return true, nil
}

// take receives the frame of a round and lets add or set have its payload.
func (r *Ring) take(from int, b body, round int, s span, sums bool) error {
	k, final := b.kinds()
	if !sums {
		k = final
	}
	f, payload, err := r.recv(from, r.header(k, round, s, 0))
	if err != nil {
		return err
	}
	r.payload = payload // where taking its address costs no allocation
	if sums {
		err = b.add(&r.payload, s)
	} else {
		err = b.set(&r.payload, s)
	}
	f.Release()
	if err != nil {
		r.counters.corrupt.Add(1)
		return r.blame(from, err)
	}
	return nil
}

// notify tells the others about the member that this one waits for. A peer to which a
// frame is being sent just now is not told: it takes none.
func (r *Ring) notify() {
	r.notices.Lock()
	defer r.notices.Unlock()
	awaited, ok := r.watch.report() // as it is now: a later notice must not be overtaken
	if !ok {
		return
	}
	for _, to := range r.others {
		if to == awaited || !r.sends[to].TryLock() {
			continue
		}
		f := r.small.get()
		f.seal(r.header(kindWaiting, 0, span{off: awaited}, 0))
		r.cfg.Link.TrySend(to, f)
		r.sends[to].Unlock()
	}
}
