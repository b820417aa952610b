package trainer

import (
	"bytes"
	"errors"
	"fmt"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ring"
)

// Members compare their states: the parameters before every step is made good, all of the state before every wholeEvery-th
// and before a checkpoint. A member's parameters are digested right after they were loaded for the step, and the digests
// ride in the step's own reduction. So a member whose bits have changed is found in the first step that it computes with
// them, and nothing that it computed gets into anybody's state.
//
// Most of three or more members are right. Of two, or without a majority, it cannot be told: the job goes back to a
// checkpoint, and when the steps since are made again, who claimed something else is wrong. See coord.leader.diverged.
const wholeEvery = 8

// divergence is the error of members whose states differ.
type divergence struct{ found *lockstepv1.Divergence }

func (e *divergence) Error() string {
	if len(e.found.Wrong) > 0 {
		return fmt.Sprintf("state after step %d: that of %v is wrong", e.found.Position/2, e.found.Wrong)
	}
	return fmt.Sprintf("state after step %d: the members' differ", e.found.Position/2)
}

// whole reports whether all of a state is compared, or the parameters only.
func (t *task) whole(st *state) bool { return st.step()%wholeEvery == 0 }

// digest is the digest of a state, if anybody compares it.
func (s *session) digest(st *state, whole bool) (d digest) {
	if len(s.members) > 1 || s.disputed(st, whole) {
		d = s.task.digestOf(st, whole)
	}
	return d
}

// digestWords is the room for the digests of all members; none is needed alone.
func (s *session) digestWords() int {
	if len(s.members) == 1 {
		return 0
	}
	return len(s.members) * len(digest{})
}

// compare looks at the digests that came with the step's reduction.
func (r *reduction) compare(st *state) error {
	return r.judge(st, r.task.whole(st), r.mine, r.words[len(r.words)-r.digestWords():])
}

// agree compares all of the members' states, in an operation of its own: before what cannot be taken back.
func (s *session) agree(st *state) error {
	mine := s.digest(st, true)
	words := make([]int64, s.digestWords())
	mine.put(words, s.rank)
	if len(words) > 0 {
		if err := s.ring.AllReduceInt64(s.ops, ring.Op{Step: uint64(st.step()), Attempt: evalAttempt, Bucket: agreeBucket}, words); err != nil {
			return err
		}
	}
	return s.judge(st, true, mine, words)
}

// agreeBucket comes after those of the evaluations of the same step.
const agreeBucket = 2

// judge compares the digests of all members, and those of an open dispute about the same place. It decides alike on
// every member: it sees only what was reduced.
func (s *session) judge(st *state, whole bool, mine digest, words []int64) error {
	votes := map[digest]int{mine: len(s.members)}
	if len(words) > 0 {
		clear(votes)
		for i := range s.members {
			votes[digestAt(words, i)]++
		}
	}
	found := &lockstepv1.Divergence{Position: st.position, Whole: whole}
	if len(votes) == 1 {
		found.Wrong = s.settle(st, whole, mine)
		if len(found.Wrong) > 0 {
			return &divergence{found}
		}
		return nil
	}
	for i, m := range s.members {
		d := digestAt(words, i)
		found.Claims = append(found.Claims, &lockstepv1.Claim{Worker: m.Worker, Digest: d.bytes()})
		if 2*votes[d] <= len(s.members) {
			found.Wrong = append(found.Wrong, m.Worker)
		}
	}
	if len(found.Wrong) == len(s.members) {
		found.Wrong = nil // no majority
	}
	return &divergence{found}
}

// disputed reports whether the job's members once differed at this place.
func (s *session) disputed(st *state, whole bool) bool {
	return s.dispute != nil && s.dispute.Position == st.position && s.dispute.Whole == whole
}

// settle returns the members who claimed another digest than the steps give now that they were made again.
func (s *session) settle(st *state, whole bool, now digest) (wrong []string) {
	if !s.disputed(st, whole) {
		return nil
	}
	for _, c := range s.dispute.Claims {
		for _, m := range s.members {
			if m.Worker == c.Worker && !bytes.Equal(c.Digest, now.bytes()) {
				wrong = append(wrong, c.Worker)
			}
		}
	}
	return wrong
}

// hold reports a divergence while the ring is still open, so that every member gets what all need to see it, and ends
// with the session. Other errors it returns.
func (s *session) hold(err error) error {
	var d *divergence
	if !errors.As(err, &d) {
		return err
	}
	s.fault(err)
	return nil
}

// reconsider drops the state if the generation begins because members' states differed: none can be trusted.
func (t *task) reconsider(d *lockstepv1.Divergence) {
	if d == nil || d.Generation == t.dropped {
		return
	}
	t.dropped = d.Generation
	for _, c := range t.unsaved {
		t.release(c)
	}
	t.unsaved = nil
	t.replace(nil)
}
