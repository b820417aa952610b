package coord

import (
	"fmt"
	"slices"
	"strings"

	lockstepv1 "lockstep/api/lockstep/v1"
)

const noPark = lockstepv1.JobState_JOB_STATE_UNSPECIFIED

// standing is how a job stands when the scheduler looks at it.
type standing struct {
	*lockstepv1.Job
	alive  []*lockstepv1.Worker // its members that are there, in ring order
	stay   []*lockstepv1.Worker // those of them that it keeps
	gone   string               // in words, who is not there any more; empty: all are
	broken string               // why its ring broke without anyone being lost; empty: it did not
	target int
}

func (s *standing) running() bool { return runs(s.Job) }
func (s *standing) shrinks() bool { return len(s.stay) < len(s.alive) }

// must reports whether the generation cannot go on.
func (s *standing) must() bool { return s.gone != "" || s.broken != "" }

func (s *standing) forming() bool {
	return s.Generation.GetPhase() == lockstepv1.GenerationPhase_GENERATION_PHASE_FORMING
}

func (p *planner) look(j *lockstepv1.Job) *standing {
	s := &standing{Job: j, target: p.target[j.Id]}
	if !runs(j) {
		return s
	}
	s.alive, s.gone = p.survivors(j)
	for _, w := range s.alive {
		if s.forming() || p.fit(w) && len(s.stay) < s.target { // while it forms nobody knows who has the state
			s.stay = append(s.stay, w)
		}
	}
	if b, ok := p.view.rebuild[j.Id]; ok && b.generation == j.Generation.Number {
		s.broken = b.cause
	}
	return s
}

// change gives a job the generation that it should have, if it has another one.
func (p *planner) change(s *standing) {
	if !s.running() {
		p.begin(s)
		return
	}
	held := p.view.hold[s.Id]
	if s.gone == "" && (held || !s.must() && (s.forming() || !p.settled)) {
		return
	}
	n := max(min(s.target-len(s.stay), p.free(s.Job, least(s.Job)-len(s.stay))), 0)
	switch {
	case len(s.stay)+n < least(s.Job) || s.target == 0:
		p.park(s)
	case s.losesState():
		p.formPark(s, lockstepv1.JobState_JOB_STATE_PENDING, "the worker that has the job's state drains")
	case n > 0 || s.shrinks() || s.must() || s.Generation.Park != noPark:
		cause := s.cause(p, n)
		p.form(s.Job, append(slices.Clone(s.stay), p.take(s.Job, n)...), cause)
		p.idle = append(p.idle, p.given(s)...)
	}
}

// given lists the workers that a job gives away and that others may have.
func (p *planner) given(s *standing) []*lockstepv1.Worker {
	var out []*lockstepv1.Worker
	for _, w := range s.alive {
		if p.fit(w) && !slices.Contains(s.stay, w) {
			out = append(out, w)
		}
	}
	return out
}

// losesState reports whether those who stay would have to begin at a checkpoint, though one who goes has the state.
func (s *standing) losesState() bool {
	has := func(w *lockstepv1.Worker) bool { return slices.Contains(s.Generation.Start.GetHolders(), w.Id) }
	return slices.ContainsFunc(s.alive, has) && !slices.ContainsFunc(s.stay, has)
}

// begin starts a job that waits.
func (p *planner) begin(s *standing) {
	n := min(s.target, p.free(s.Job, least(s.Job)))
	if n == 0 || n < least(s.Job) || !p.settled || p.view.hold[s.Id] {
		return
	}
	p.form(s.Job, p.take(s.Job, n), words(n, "worker")+" for it")
}

// park stops a job whose workers others get, or that has too few; whoever is there stores its state.
func (p *planner) park(s *standing) {
	state, cause := lockstepv1.JobState_JOB_STATE_PENDING, "makes way for "+strings.Join(p.ahead(s.Job), ", ")
	switch {
	case s.Paused:
		state, cause = lockstepv1.JobState_JOB_STATE_PAUSED, "is paused"
	case s.gone != "":
		state, cause = lockstepv1.JobState_JOB_STATE_RECOVERING, s.gone
	case len(p.ahead(s.Job)) == 0 && p.drains(s):
		cause = "workers drain, and too few are left"
	case len(p.ahead(s.Job)) == 0:
		cause = fmt.Sprintf("is to have at least %s", words(least(s.Job), "worker"))
	}
	if len(s.alive) == 0 {
		p.handled[s.Id] = true
		p.commands = append(p.commands, &lockstepv1.Command{Op: &lockstepv1.Command_SuspendJob{
			SuspendJob: &lockstepv1.SuspendJob{Job: s.Id, Generation: s.Generation.Number, Reason: cause}}})
		return
	}
	p.formPark(s, state, cause)
}

// formPark has the members store the state, unless they are at it.
func (p *planner) formPark(s *standing, state lockstepv1.JobState, cause string) {
	if s.Generation.Park == state && !s.must() {
		return
	}
	if s.broken != "" {
		cause = s.Generation.Cause
	}
	p.form(s.Job, s.alive, cause)
	p.commands[len(p.commands)-1].GetFormGeneration().Park = state
}

// ahead names the jobs that come before a job and that it has to make way for.
func (p *planner) ahead(j *lockstepv1.Job) []string {
	var ids []string
	for _, other := range p.jobs {
		if other.Priority > j.Priority && p.target[other.Id] > 0 {
			ids = append(ids, fmt.Sprintf("job %s of priority %d", other.Id, other.Priority))
		}
	}
	return ids
}

// cause says in words why a running job gets another generation.
func (s *standing) cause(p *planner, joining int) string {
	switch leaving := len(s.alive) - len(s.stay); {
	case s.gone != "":
		return s.gone
	case s.broken != "":
		return s.broken
	case leaving > 0 && joining == 0 && p.drains(s):
		return words(leaving, "worker") + " drained"
	case leaving > 0 && len(s.stay) >= int(s.WorkersMax):
		return fmt.Sprintf("scaled to at most %d workers", s.WorkersMax)
	case leaving > 0 && joining == 0:
		return words(leaving, "worker") + " given to other jobs"
	case leaving > 0:
		return words(leaving, "worker") + " replaced"
	case joining > 0:
		return words(joining, "worker") + " joined"
	default:
		return "goes on: its workers are its own again"
	}
}

func (p *planner) drains(s *standing) bool {
	return slices.ContainsFunc(s.alive, func(w *lockstepv1.Worker) bool { return !p.fit(w) })
}

// words writes a number of things.
func words(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
