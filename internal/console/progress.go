package console

import (
	"io"
	"strings"
	"sync"
	"time"
)

const (
	redrawEvery = 100 * time.Millisecond // at most
	plainEvery  = 10 * time.Second
)

// Progress shows how something goes on: on a terminal one line that is drawn anew at most ten times a second, elsewhere
// one plain line every ten seconds and at each change of state. It is safe for concurrent use.
//
//  1. On a terminal, what is drawn is the last line and the cursor is at its end, or drawn is "" and the cursor is at
//     the beginning of an empty line.
//  2. Nothing is written after Close.
type Progress struct {
	w     io.Writer
	width func() int // nil: no terminal

	mu     sync.Mutex
	status *Status // nil: none yet
	pace   pace
	drawn  string
	last   time.Time // of the last drawing or plain line
	closed bool

	stop chan struct{}
	done chan struct{}
}

// OpenProgress begins to show progress on w. width gives the terminal's columns; nil: w is no terminal.
func OpenProgress(w io.Writer, width func() int) *Progress {
	p := &Progress{w: w, width: width, stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()
	return p
}

// run draws what Update left undrawn, and what changes by itself: the time that is left.
func (p *Progress) run() {
	defer close(p.done)
	t := time.NewTicker(redrawEvery)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.mu.Lock()
			p.show(false)
			p.mu.Unlock()
		}
	}
}

// Update takes the newest status.
func (p *Progress) Update(s Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.status == nil || p.status.State != s.State || p.status.Reason != s.Reason && s.State != s.Running
	if s.State == s.Running {
		p.pace.add(time.Now(), s.Step)
	} else {
		p.pace = pace{}
	}
	p.status = &s
	p.show(changed)
}

// Note writes a line that stays.
func (p *Progress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.clear()
	io.WriteString(p.w, oneLine(text)+"\n")
	if p.width != nil {
		p.show(true)
	}
}

// Close takes the line away. Closing again does nothing.
func (p *Progress) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.clear()
	p.mu.Unlock()
	close(p.stop)
	<-p.done
	return nil
}

// show draws the status if it is time to, or now.
//
// REQUIRES: p.mu
func (p *Progress) show(now bool) {
	if p.status == nil || p.closed {
		return
	}
	every := plainEvery
	if p.width != nil {
		every = redrawEvery
	}
	t := time.Now()
	if !now && t.Sub(p.last) < every {
		return
	}
	if p.width == nil {
		p.last = t
		io.WriteString(p.w, t.Format(time.TimeOnly)+" "+p.status.plain(p.eta(t))+"\n")
		return
	}
	line := p.status.line(p.eta(t), p.width()-1) // a full last column would wrap
	if line == p.drawn {
		return
	}
	p.last = t
	p.drawn = line
	io.WriteString(p.w, "\r"+line+"\x1b[K")
}

// eta is the time left in words, "" if it is not known.
func (p *Progress) eta(now time.Time) string {
	if d, ok := p.pace.left(now, p.status.Total); ok && p.status.Total > 0 {
		return clock(d)
	}
	return ""
}

// clear takes the line from the terminal.
//
// REQUIRES: p.mu
func (p *Progress) clear() {
	if strings.TrimSpace(p.drawn) != "" {
		io.WriteString(p.w, "\r\x1b[K")
	}
	p.drawn = ""
}
