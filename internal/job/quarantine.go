package job

import (
	"fmt"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// setAside gives the address of a removed worker no work for a time, if the command says so, and tells: whatever process
// starts there next computes on the same memory.
func (a *applying) setAside(w *lockstepv1.Worker, c *lockstepv1.RemoveWorker) {
	for at, q := range a.quarantine { // what is over is forgotten, in whatever order
		if q.UntilMs <= a.now {
			delete(a.quarantine, at)
		}
	}
	if c.QuarantineMs <= 0 {
		return
	}
	a.quarantine[w.Address] = &lockstepv1.Quarantine{Address: w.Address, UntilMs: a.now + c.QuarantineMs, Reason: c.Reason}
	if j := a.JobOf(w.Id); j != nil {
		a.jobEvent(j, "alert", alertData{Reason: fmt.Sprintf("worker %s at %s is evicted, and its address quarantined for %v: %s",
			w.Id, w.Address, time.Duration(c.QuarantineMs)*time.Millisecond, c.Reason)})
	}
}

// quarantinedUntil is when an address may be given work again; 0: it may.
func (a *applying) quarantinedUntil(address string) int64 {
	if q := a.quarantine[address]; q != nil && q.UntilMs > a.now {
		return q.UntilMs
	}
	return 0
}

// Quarantine returns why the workers at an address are given no work, or nil.
func (s *State) Quarantine(address string) *lockstepv1.Quarantine { return s.quarantine[address] }
