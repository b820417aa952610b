package trainer

import "time"

// steps trains from where the task stands to the end of the job, doing what is due between steps.
func (s *session) steps() error {
	s.report = newReporter(s)
	defer s.report.close()
	s.uploads = newUploader(s)
	defer s.uploads.close()
	defer s.fetch.wait()
	for {
		st := s.task.state
		if st.position%2 == 0 {
			begin := time.Now()
			if err := s.between(st); err != nil {
				return err
			}
			s.meter.evaluation.Add(time.Since(begin).Seconds())
			s.report.evaluated(st)
			continue
		}
		s.task.enter(st)
		if err := s.keep(st); err != nil {
			return s.hold(err)
		}
		if s.task.finished(st) {
			return s.finish(st)
		}
		s.fetch.begin(s, st)
		begin := time.Now()
		records, err := s.step(st)
		if err != nil {
			return s.hold(err)
		}
		s.w.flip(st)
		if d := s.w.cfg.StepTime - time.Since(begin); d > 0 {
			pause(s.ctx, d)
		}
		s.stepped(st, records, time.Since(begin))
	}
}

// stepped notes a step for those who follow: the wait for others, the speed, the coordinators, the metrics.
func (s *session) stepped(st *state, records int, d time.Duration) {
	s.phases.update = d - s.phases.compute - s.phases.wait - s.phases.reduce
	s.pace.made(d)
	s.speed.stepped(int(s.members[s.rank].SegmentTo-s.members[s.rank].SegmentFrom), d)
	s.report.stepped(st, records, d)
	rate, _ := s.speed.rate(s.w.cfg.Cores)
	s.meter.stepped(s.phases, int(s.samples.Swap(0)), rate, s.ring.Stats())
}

// step makes one step: all micro-batches of this member's segments, their gradients summed over all members, one
// update. It changes the state at its end, as a whole, or not at all.
func (s *session) step(st *state) (records int, err error) {
	t := s.task
	t.weights.LoadOn(t.spread, st.params)
	s.phases = phases{}
	r := newReduction(s, st) // digests what was just loaded: a state that changes later is found in the next step
	for attempt := uint32(0); ; attempt++ {
		if err := r.attempt(attempt); err != nil {
			return 0, err
		}
		if err := r.compare(st); err != nil {
			return 0, err
		}
		again, err := r.rescale()
		if err != nil {
			return 0, err
		}
		if !again {
			break
		}
	}
	r.told()
	r.failAt(r.step, inUpdate)
	t.mu.Lock()
	defer t.mu.Unlock()
	r.update(st)
	return r.order.Rows(r.t), nil
}

// failed makes the first failure of this member end all that it has under way.
func (s *session) failed(err error) error {
	if err != nil {
		s.abort(err)
	}
	return err
}
