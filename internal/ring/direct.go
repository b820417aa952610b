package ring

// inline is the length of a frame that a link takes without anyone receiving. Longer
// ones are sent beside the receiving.
const inline = 8 << 10

// beside runs send, which sends frames of a total length: before receive, or beside it.
func (r *Ring) beside(length int, send, receive func() error) error {
	if length <= inline {
		if err := send(); err != nil {
			return err
		}
		return receive()
	}
	go func() { r.sent <- send() }()
	err := receive()
	if err != nil {
		r.fail(err) // so that the sender ends
	}
	if sendErr := <-r.sent; err == nil {
		err = sendErr
	}
	return err
}

// everyone sends the vector to all members and adds what they send.
func (r *Ring) everyone(b body, n int) error {
	cfg := &r.cfg
	s := span{0, n}
	f := r.pack((cfg.Rank+1)%cfg.World, b, 0, s, true)
	err := r.beside(f.Len(), func() error { return r.broadcast(f) }, func() error {
		for d := 1; d < cfg.World; d++ {
			if err := r.take((cfg.Rank+cfg.World-d)%cfg.World, b, 0, s, true); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.finish(s)
}

// broadcast sends a frame, made for the successor, to every other member.
func (r *Ring) broadcast(f *Frame) error {
	cfg := &r.cfg
	for d := 2; d < cfg.World; d++ { // the others first: then f is another's
		to := (cfg.Rank + d) % cfg.World
		if err := r.send(to, r.copyOf(f, to)); err != nil {
			f.Release()
			return err
		}
	}
	return r.send((cfg.Rank+1)%cfg.World, f)
}

// copyOf returns a copy of a sealed frame for another peer.
func (r *Ring) copyOf(f *Frame, to int) *Frame {
	g := r.frame(to, f.Len()-HeaderLen)
	g.one[0] = g.buf[:copy(g.buf, f.Parts[0])]
	g.Parts = g.one[:]
	if g.Shared || f.Shared {
		g.sum()
	}
	return g
}
