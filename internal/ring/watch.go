package ring

import (
	"sync"
	"time"
)

// watch is the deadline of the present operation. It is pushed back whenever a frame
// comes, and knows whom the operation waits for and whom that peer, in turn, waits for.
type watch struct {
	r     *Ring
	timer *time.Timer

	mu      sync.Mutex
	running bool
	limit   time.Duration
	awaited int // the peer that a frame must come from, or must take one
	suspect int // whom the awaited peer waits for; awaited if it has named nobody
	since   time.Time
	told    bool // the others, in this wait
}

// start begins an operation.
func (w *watch) start(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.limit, w.told, w.since = true, limit, false, time.Now()
	if w.timer == nil {
		w.timer = time.AfterFunc(limit/2, w.fire)
	} else {
		w.timer.Reset(limit / 2)
	}
}

// stop ends the operation. Behind it the ring has failed for a timeout or does not.
func (w *watch) stop() {
	w.r.notices.Lock() // a notice that is being made reads what the next operation writes
	defer w.r.notices.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = false
	w.timer.Stop()
}

// expect begins a wait for peer.
func (w *watch) expect(peer int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awaited, w.suspect, w.since, w.told = peer, peer, time.Now(), false
}

// named notes that the awaited peer itself waits for another one.
func (w *watch) named(by, peer int) {
	w.mu.Lock()
	news := by == w.awaited && peer != w.r.cfg.Rank && peer != w.suspect
	if news {
		w.suspect = peer
	}
	tell := news && w.told
	w.mu.Unlock()
	if tell {
		w.r.notify()
	}
}

// report returns whom others are told about, or false if the operation is over.
func (w *watch) report() (int, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.suspect, w.running
}

// fire runs at half of the limit and at the limit. A wait that began in between has its
// own time: the timer is not touched for every frame.
func (w *watch) fire() {
	if w.overdue() {
		w.r.notify()
	}
}

// overdue sets the timer and tells whether it is time to tell the others. It fails the
// ring if the limit has passed.
func (w *watch) overdue() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running {
		return false
	}
	waited := time.Since(w.since)
	switch {
	case waited >= w.limit:
		w.r.blame(w.suspect, ErrTimeout)
	case waited >= w.limit/2:
		w.told = true
		w.timer.Reset(w.limit - waited)
	default:
		w.timer.Reset(w.limit/2 - waited)
	}
	return w.told && waited < w.limit
}
