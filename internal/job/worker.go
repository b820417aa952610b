package job

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// A worker is known by its address: a process has a new id each time it starts. Where workers are lost again and again
// the next ones get no work for a time that doubles with every loss.
const (
	toleratedLosses = 2                // that have no consequence
	flapMemory      = 10 * time.Minute // without a loss for this long, the count begins anew
	quarantineBase  = 5 * time.Second
	quarantineMax   = 10 * time.Minute
)

func (a *applying) addWorker(c *lockstepv1.AddWorker) {
	w := proto.CloneOf(c.Worker)
	w.JoinedMs = a.now
	old := a.workers[w.Id]
	w.Draining = old.GetDraining()
	w.QuarantinedUntilMs = a.quarantinedUntil(w.Address)
	f := a.flaps[w.Address]
	flaps := f.GetUntilMs() > max(a.now, w.QuarantinedUntilMs)
	if flaps {
		w.QuarantinedUntilMs = f.UntilMs
	}
	a.workers[w.Id] = w
	a.result.Id = w.Id
	if old != nil {
		return
	}
	a.workerEvent(w.Id, "JOINED", "")
	if flaps {
		a.workerAlert(w.Id, fmt.Sprintf("workers at %s were lost %d times: this one gets no work for %v", w.Address,
			f.Losses, time.Duration(w.QuarantinedUntilMs-a.now)*time.Millisecond))
	}
}

func (a *applying) removeWorker(c *lockstepv1.RemoveWorker) {
	w := a.workers[c.Worker]
	if w == nil {
		a.refuse(lockstepv1.Refusal_REFUSAL_NOT_FOUND, "no worker %q", c.Worker)
		return
	}
	a.setAside(w, c)
	delete(a.workers, c.Worker)
	a.workerEvent(c.Worker, "LEFT", c.Reason)
	if c.Lost {
		a.countLoss(w.Address)
	}
}

// countLoss notes that a worker at an address was lost.
func (a *applying) countLoss(address string) {
	f := &lockstepv1.Flapping{Address: address}
	if old := a.flaps[address]; old != nil && a.now-max(old.LastMs, old.UntilMs) < flapMemory.Milliseconds() {
		f.Losses = old.Losses
	}
	f.Losses++
	f.LastMs = a.now
	if n := int(f.Losses) - toleratedLosses - 1; n >= 0 {
		f.UntilMs = a.now + min(quarantineBase<<min(n, 20), quarantineMax).Milliseconds()
	}
	for at, old := range a.flaps { // what is forgotten does not depend on the order
		if a.now-max(old.LastMs, old.UntilMs) >= flapMemory.Milliseconds() {
			delete(a.flaps, at)
		}
	}
	a.flaps[address] = f
}

func (a *applying) drainWorker(c *lockstepv1.DrainWorker) {
	old := a.workers[c.Worker]
	if old == nil {
		a.refuse(lockstepv1.Refusal_REFUSAL_NOT_FOUND, "no worker %q", c.Worker)
		return
	}
	if old.Draining == c.Draining {
		return
	}
	w := proto.CloneOf(old)
	w.Draining = c.Draining
	a.workers[w.Id] = w
	if c.Draining {
		a.workerEvent(w.Id, "DRAINING", c.Reason)
		return
	}
	a.workerEvent(w.Id, "READY", c.Reason)
}
