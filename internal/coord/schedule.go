package coord

import (
	"cmp"
	"slices"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// gatherWindow is how long the newest idle worker must have been there before idle workers are given to jobs: workers
// that come together become one change of membership. A loss does not wait.
const gatherWindow = 250 * time.Millisecond

// view is what the scheduler looks at besides the replicated state.
type view struct {
	now     time.Time
	hold    map[string]bool    // jobs whose next generation has to wait, by id
	rebuild map[string]rebuild // jobs whose ring broke without anyone being lost, by id
	speeds  map[string]speed   // what workers have measured, by id
}

type rebuild struct {
	generation uint64
	cause      string
	dispute    *lockstepv1.Divergence // why, if the members' states differ and it cannot be told whose is wrong
}

// schedule decides, from the state alone, which generations to form, to park or to suspend now, and says what the jobs
// that wait are waiting for. It is pure. Its rules:
//
//  1. Higher priority first; of equal priority who runs before who waits; then in order of submission.
//  2. Every job in this order gets its workers.min, as long as there are workers, whoever has them now. A job for
//     which there are not enough keeps later ones waiting, unless it wants more than there are in all.
//  3. What is left goes by priority: running jobs keep what they have, then jobs grow to workers.max in order.
//  4. A job that gets less than it has gives the rest away. One that gets nothing is parked: its members store the
//     state before they leave, so no step is lost.
//  5. A worker that drains, or is in quarantine, counts for nothing. Where it alone has a job's state, the job is parked.
func schedule(s *job.State, v view) []*lockstepv1.Command {
	p := &planner{state: s, view: v, target: map[string]int{}, handled: map[string]bool{}}
	p.findWorkers()
	p.findJobs()
	p.allot()
	for _, j := range p.jobs {
		if at := p.look(j); at.running() && at.shrinks() {
			p.change(at)
		}
	}
	for _, j := range p.jobs {
		if !p.handled[j.Id] {
			p.change(p.look(j))
		}
	}
	p.balance()
	p.explain()
	return p.commands
}

type planner struct {
	state    *job.State
	view     view
	jobs     []*lockstepv1.Job // that have not ended, in the order of rule 1
	usable   int               // workers that may be given work
	idle     []*lockstepv1.Worker
	settled  bool           // no idle worker is so new that others may be about to follow
	target   map[string]int // workers that a job is to have, by id
	handled  map[string]bool
	commands []*lockstepv1.Command
}

// findWorkers finds those that may be given work, and those of them that are idle, the oldest first.
func (p *planner) findWorkers() {
	p.settled = true
	for _, w := range p.state.Workers() {
		if !p.fit(w) {
			continue
		}
		p.usable++
		if p.state.JobOf(w.Id) != nil {
			continue
		}
		p.idle = append(p.idle, w)
		if p.view.now.Sub(time.UnixMilli(w.JoinedMs)) < gatherWindow {
			p.settled = false
		}
	}
	slices.SortFunc(p.idle, func(a, b *lockstepv1.Worker) int {
		return cmp.Or(cmp.Compare(a.JoinedMs, b.JoinedMs), cmp.Compare(a.Id, b.Id))
	})
}

// fit reports whether a worker may be given work.
func (p *planner) fit(w *lockstepv1.Worker) bool {
	return !w.Draining && w.QuarantinedUntilMs <= p.view.now.UnixMilli()
}

func (p *planner) findJobs() {
	for _, j := range p.state.Jobs() {
		if !job.Ended(j.State) {
			p.jobs = append(p.jobs, j)
		}
	}
	waits := func(j *lockstepv1.Job) int {
		if runs(j) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(p.jobs, func(a, b *lockstepv1.Job) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(waits(a), waits(b)))
	})
}

func runs(j *lockstepv1.Job) bool { return j.State == lockstepv1.JobState_JOB_STATE_RUNNING }

// allot settles how many workers each job is to have: rules 2 and 3.
func (p *planner) allot() {
	left, blocked := p.usable, false
	for _, j := range p.jobs {
		switch n := least(j); {
		case j.Paused:
		case n <= left && (runs(j) || !blocked):
			p.target[j.Id] = n
			left -= n
		case !runs(j) && n <= p.usable:
			blocked = true
		}
	}
	give := func(j *lockstepv1.Job, most int) {
		if have := p.target[j.Id]; have > 0 {
			n := max(min(most-have, left), 0)
			p.target[j.Id] += n
			left -= n
		}
	}
	for rest := p.jobs; len(rest) > 0; {
		class := rest
		if n := slices.IndexFunc(rest, func(j *lockstepv1.Job) bool { return j.Priority != rest[0].Priority }); n > 0 {
			class = rest[:n]
		}
		for _, j := range class {
			give(j, min(len(j.Generation.GetMembers()), capacity(j)))
		}
		for _, j := range class {
			if !blocked || !runs(j) {
				give(j, capacity(j))
			}
		}
		rest = rest[len(class):]
	}
}

// least is the number of workers without which a job does not run.
func least(j *lockstepv1.Job) int { return int(max(j.WorkersMin, 1)) }

// survivors returns the members of a job that are still there, and in words which are not.
func (p *planner) survivors(j *lockstepv1.Job) (alive []*lockstepv1.Worker, gone string) {
	for _, m := range j.Generation.Members {
		if w := p.state.Worker(m.Worker); w != nil {
			alive = append(alive, w)
		} else {
			gone = "worker " + m.Worker + " is gone"
		}
	}
	return alive, gone
}

// capacity is how many workers a job can use.
func capacity(j *lockstepv1.Job) int { return int(min(j.WorkersMax, j.MicroBatches)) }

// free counts the idle workers that a job can have: those that are too slow for it only to reach least.
func (p *planner) free(j *lockstepv1.Job, least int) int {
	fast := 0
	for _, w := range p.idle {
		if !p.tooSlowFor(j, w.Id) {
			fast++
		}
	}
	return min(len(p.idle), max(fast, least))
}

// take takes idle workers for a job, those last that are too slow for it.
func (p *planner) take(j *lockstepv1.Job, n int) []*lockstepv1.Worker {
	slices.SortStableFunc(p.idle, func(a, b *lockstepv1.Worker) int {
		return cmp.Compare(flag(p.tooSlowFor(j, a.Id)), flag(p.tooSlowFor(j, b.Id)))
	})
	taken := slices.Clone(p.idle[:n])
	p.idle = p.idle[n:]
	return taken
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// lost reports whether a job gets a new generation because a member was lost.
func (p *planner) lost(j *lockstepv1.Job) bool {
	if j.State == lockstepv1.JobState_JOB_STATE_RECOVERING {
		return true
	}
	if j.State != lockstepv1.JobState_JOB_STATE_RUNNING {
		return false
	}
	_, gone := p.survivors(j)
	return gone != "" || j.Generation.Careful && j.Generation.Phase == lockstepv1.GenerationPhase_GENERATION_PHASE_FORMING
}

// form makes a generation of these workers, with segments in proportion to their speed.
func (p *planner) form(j *lockstepv1.Job, workers []*lockstepv1.Worker, cause string) {
	p.handled[j.Id] = true
	d := p.deal(j, workers)
	g := &lockstepv1.FormGeneration{Job: j.Id, Replaces: j.Generation.GetNumber(), Cause: slowly(cause, d.slow), LeftOut: p.leftOut(j, d.slow)}
	if b := p.view.rebuild[j.Id]; b.generation == g.Replaces {
		g.Dispute = b.dispute
	}
	g.Careful = p.lost(j)
	for i, r := range d.ranges {
		g.Members = append(g.Members, &lockstepv1.Member{
			Worker: d.workers[i].Id, Address: d.workers[i].Address, SegmentFrom: uint32(r.From), SegmentTo: uint32(r.To),
		})
	}
	p.commands = append(p.commands, &lockstepv1.Command{Op: &lockstepv1.Command_FormGeneration{FormGeneration: g}})
}
