package trainer

import (
	"sync"
	"time"
)

// pace follows how long a step takes, so that a wait for another member can be told from a member that is lost.
type pace struct {
	mu   sync.Mutex
	step time.Duration // smoothed; under mu
}

// A frame may take as long as the slowest of this many steps, and at least the floor: the process may be starved of
// its core, and a member that is only slow must not be taken for a lost one. Lost members are found much sooner, by
// their reset connections and by the leader's leases.
const (
	paceFactor = 20
	paceFloor  = 30 * time.Second
)

func newPace() *pace { return &pace{} }

// made notes the duration of a step.
func (p *pace) made(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = max(d, p.step-p.step/8+d/8)
}

func (p *pace) timeout() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(paceFloor, paceFactor*p.step)
}
