package blocks

// slot holds a block of a file in memory. All its fields but data are under Space.mu; data is not changed while loaded.
type slot struct {
	data    []byte
	of      *block
	pins    int
	loading bool
	used    bool // since it was last passed over
}

// Pin keeps a block in memory.
type Pin struct {
	space *Space
	slot  *slot
}

// Release ends it. What was viewed under it must not be used any more.
func (p Pin) Release() {
	if p.slot == nil {
		return
	}
	p.space.mu.Lock()
	defer p.space.mu.Unlock()
	if p.slot.pins--; p.slot.pins == 0 {
		p.space.freed.Broadcast()
	}
}

// pin returns block k of a store, loaded.
func (s *Space) pin(t *Store, k int) (*slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &t.blocks[k]
	for {
		sl := b.slot
		switch {
		case sl != nil && !sl.loading:
			sl.pins++
			sl.used = true
			return sl, nil
		case sl == nil:
			if sl = s.take(t.length(k)); sl != nil {
				return sl, s.load(t, b, sl)
			}
		}
		s.freed.Wait()
	}
}

// load reads a block into a slot, and pins it.
//
// REQUIRES: s.mu, which it gives up while it reads.
func (s *Space) load(t *Store, b *block, sl *slot) error {
	b.slot, sl.of, sl.loading, sl.used, sl.pins = sl, b, true, true, 1
	s.mu.Unlock()
	err := t.read(sl.data, b)
	s.mu.Lock()
	sl.loading = false
	s.freed.Broadcast()
	if err != nil {
		b.slot, sl.of, sl.used, sl.pins = nil, nil, false, 0
		return err
	}
	return nil
}

// take returns a slot of n bytes that holds nothing; nil: every one is in use.
func (s *Space) take(n int) *slot {
	for s.bound > 0 && s.held+int64(n) > s.bound && len(s.slots) > 0 {
		i := s.victim()
		if i < 0 {
			return nil
		}
		sl := s.slots[i]
		s.forget(sl.of)
		if len(sl.data) == n {
			return sl
		}
		s.held -= int64(len(sl.data))
		s.slots[i] = s.slots[len(s.slots)-1]
		s.slots = s.slots[:len(s.slots)-1]
	}
	sl := &slot{data: make([]byte, n)}
	s.held += int64(n)
	s.slots = append(s.slots, sl)
	return sl
}

// victim is a slot that nobody uses, and has not used for a while; -1: there is none. (The clock algorithm.)
func (s *Space) victim() int {
	for range 2*len(s.slots) + 1 {
		s.hand = (s.hand + 1) % len(s.slots)
		sl := s.slots[s.hand]
		if sl.pins > 0 || sl.loading {
			continue
		}
		if !sl.used {
			return s.hand
		}
		sl.used = false
	}
	return -1
}

// forget takes the cached copy from a block.
func (s *Space) forget(b *block) {
	if b != nil && b.slot != nil {
		b.slot.of, b.slot.used = nil, false
		b.slot = nil
	}
}
