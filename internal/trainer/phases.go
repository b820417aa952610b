package trainer

import (
	"sync/atomic"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ring"
)

// phases is where the time of a step goes, on the clock of one member:
//
//	compute | its own micro-batches, until the last of them is done; buckets are reduced meanwhile
//	wait    | after that: blocked until other members' frames come
//	reduce  | after that: sums packed, sent and added
//	update  | the rest: parameters loaded, states compared, scales, the optimizer
type phases struct {
	compute, wait, reduce, update time.Duration
	redone                        int // times that the gradients were summed again with other scales
}

func (p *phases) total() time.Duration { return p.compute + p.wait + p.reduce + p.update }

// stopwatch measures one attempt at a step.
type stopwatch struct {
	ring     *ring.Ring
	begin    time.Time
	computed atomic.Int64 // nanoseconds after begin when the last core was done
	waited   atomic.Int64 // of the ring, at that time
}

func startWatch(r *ring.Ring) *stopwatch {
	w := &stopwatch{ring: r, begin: time.Now()}
	w.waited.Store(int64(r.Waited()))
	return w
}

// coreDone notes that a core has no more micro-batches. The last one to be done counts.
func (w *stopwatch) coreDone() {
	w.computed.Store(int64(time.Since(w.begin)))
	w.waited.Store(int64(w.ring.Waited()))
}

// stop adds what the attempt took to p.
func (w *stopwatch) stop(p *phases) {
	took, compute := time.Since(w.begin), time.Duration(w.computed.Load())
	wait := min(w.ring.Waited()-time.Duration(w.waited.Load()), took-compute)
	p.compute += compute
	p.wait += wait
	p.reduce += took - compute - wait
}

// addTo adds a step to the sums that are reported.
func (p *phases) addTo(sum *lockstepv1.Phases) *lockstepv1.Phases {
	if sum == nil {
		sum = &lockstepv1.Phases{}
	}
	sum.Compute += p.compute.Seconds()
	sum.Wait += p.wait.Seconds()
	sum.Reduce += p.reduce.Seconds()
	sum.Update += p.update.Seconds()
	sum.Steps++
	return sum
}
