package console

import "time"

const paceWindow = 30 * time.Second

// pace estimates how long something goes on, from how it went lately.
type pace struct {
	points []point // oldest first; steps grow
}

type point struct {
	at   time.Time
	step uint64
}

// add notes that step was reached.
func (p *pace) add(at time.Time, step uint64) {
	if n := len(p.points); n > 0 && step <= p.points[n-1].step {
		return
	}
	p.points = append(p.points, point{at, step})
	for len(p.points) > 2 && at.Sub(p.points[0].at) > paceWindow {
		p.points = p.points[1:]
	}
}

// left estimates the time from now until the step total; false while there is too little to tell.
func (p *pace) left(now time.Time, total uint64) (time.Duration, bool) {
	if len(p.points) < 2 {
		return 0, false
	}
	first, last := p.points[0], p.points[len(p.points)-1]
	span := last.at.Sub(first.at)
	if span <= 0 || total < last.step {
		return 0, false
	}
	perStep := float64(span) / float64(last.step-first.step)
	rest := time.Duration(perStep*float64(total-last.step)) - now.Sub(last.at)
	return max(0, rest), true
}
