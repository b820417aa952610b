package coord

import (
	"fmt"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// explain tells of every job that waits what it waits for, and at which place, where that is news.
func (p *planner) explain() {
	place := uint32(0)
	for _, j := range p.jobs {
		if runs(j) || j.Paused || p.handled[j.Id] {
			continue
		}
		place++
		reason := p.wait(j)
		if j.Because != "" {
			reason = j.Because + "; " + reason
		}
		if reason != j.Reason || place != j.QueuePosition {
			p.commands = append(p.commands, &lockstepv1.Command{Op: &lockstepv1.Command_ExplainWait{
				ExplainWait: &lockstepv1.ExplainWait{Job: j.Id, Reason: reason, QueuePosition: place}}})
		}
	}
}

// wait says what a job waits for.
func (p *planner) wait(j *lockstepv1.Job) string {
	want := "waits for " + words(least(j), "worker")
	all := len(p.state.Workers())
	switch {
	case all == 0:
		return want + ": there are none"
	case p.usable < all && least(j) > p.usable:
		return fmt.Sprintf("%s: %d of %d may be given work, the others drain or are in quarantine", want, p.usable, all)
	case least(j) > p.usable:
		return fmt.Sprintf("%s: there are %d", want, p.usable)
	case p.target[j.Id] > len(p.idle):
		return want + ", which other jobs are about to give away"
	case p.target[j.Id] > 0:
		return want + ", which have just come"
	default:
		return fmt.Sprintf("%s: %d are free, the others work for jobs that come first", want, len(p.idle))
	}
}
