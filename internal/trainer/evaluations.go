package trainer

import (
	"slices"
	"sync"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// evaluations are those of a job whose figures are not known to have arrived, oldest first. Every member of every
// generation keeps them, since all make the same ones: whoever reports next, after whatever change, delivers them.
type evaluations struct {
	mu   sync.Mutex
	list []*lockstepv1.Progress // under mu
}

func (e *evaluations) add(p *lockstepv1.Progress) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, p)
}

// arrived forgets the evaluations up to the one that was made after so many steps.
func (e *evaluations) arrived(steps uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = slices.DeleteFunc(e.list, func(p *lockstepv1.Progress) bool { return p.Evaluated <= steps })
}

// oldest returns the one to deliver next; nil: none.
func (e *evaluations) oldest() *lockstepv1.Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.list) == 0 {
		return nil
	}
	return e.list[0]
}
