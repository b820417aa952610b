package trainer

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// speedometer measures how fast this worker computes, waits for others left out: micro-batches a second, all cores
// together. What is older than a few seconds counts less and less.
type speedometer struct {
	busy atomic.Int64 // nanoseconds of all cores in the step under way

	mu       sync.Mutex
	micro    float64       // faded; under mu
	seconds  float64       // of one core, faded; under mu
	measured time.Duration // in all; under mu
}

// memory is how long ago a step counts 1/e of what it did.
const memory = 2 * time.Second

// stepped notes a step of so many micro-batches that took d with all waits.
func (s *speedometer) stepped(micro int, d time.Duration) {
	fade := math.Exp(-d.Seconds() / memory.Seconds())
	busy := time.Duration(s.busy.Swap(0)).Seconds()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.micro = s.micro*fade + float64(micro)
	s.seconds = s.seconds*fade + busy
	s.measured += d
}

// rate returns the speed with so many cores, 0 if there is none yet, and for how long it was measured.
func (s *speedometer) rate(cores int) (perSecond float64, measured time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seconds <= 0 {
		return 0, 0
	}
	return float64(cores) * s.micro / s.seconds, s.measured
}
