package coord

import (
	"context"
	"fmt"
	"slices"
	"strings"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// A micro-batch that ends the processes that compute it would cost a cluster one worker after the other. After a loss
// the members of the next generation say, before each micro-batch of the step that was interrupted, that they are about
// to compute it. A worker that is lost then was at that micro-batch; if the one before, on another machine, owned it too,
// the fault is the job's, and it fails. What is known here is the leader's alone: a new leader begins anew.

// maxBlames is how often one micro-batch may fail, be it always on the same machine.
const maxBlames = 3

// poison is what may have cost workers.
type poison struct {
	attempts map[string]*lockstepv1.Attempt // by worker: what it said it computes
	losses   map[string]loss                // by job: the last one
	blames   map[string]*blame              // by job: the micro-batch that was blamed last
}

// loss is a member that was lost, with the segments that it owned.
type loss struct {
	address  string
	from, to uint32
}

// blame is a micro-batch on which workers failed.
type blame struct {
	step      uint64
	micro     uint32
	addresses []string // of the workers, in the order in which they failed
}

func newPoison() *poison {
	return &poison{attempts: map[string]*lockstepv1.Attempt{}, losses: map[string]loss{}, blames: map[string]*blame{}}
}

// ReportAttempt notes what a worker is about to compute.
func (s *workersServer) ReportAttempt(_ context.Context, r *lockstepv1.ReportAttemptRequest) (*lockstepv1.ReportAttemptResponse, error) {
	l, err := s.leading()
	if err != nil {
		return nil, err
	}
	if err := l.current(r.Job, r.Generation); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Attempt == nil {
		delete(l.poison.attempts, r.Worker)
	} else {
		l.poison.attempts[r.Worker] = r.Attempt
	}
	return &lockstepv1.ReportAttemptResponse{}, nil
}

// blameLoss looks, before a lost worker is removed, what it was computing.
func (l *leader) blameLoss(worker, reason string) {
	var j *lockstepv1.Job
	l.fsm.read(func(s *job.State) { j = s.JobOf(worker) })
	l.mu.Lock()
	a, p := l.poison.attempts[worker], l.poison
	delete(p.attempts, worker)
	i := slices.IndexFunc(j.GetGeneration().GetMembers(), func(m *lockstepv1.Member) bool { return m.Worker == worker })
	if i < 0 {
		l.mu.Unlock()
		return
	}
	m := j.Generation.Members[i]
	why := ""
	if a != nil {
		if old, ok := p.losses[j.Id]; ok && a.Interrupted && old.from <= a.Micro && a.Micro < old.to {
			p.add(j.Id, a, old.address)
		}
		why = p.add(j.Id, a, m.Address)
	}
	p.losses[j.Id] = loss{address: m.Address, from: m.SegmentFrom, to: m.SegmentTo}
	l.mu.Unlock()
	if why != "" {
		l.failPoisoned(j, why+reason)
	}
}

// blameFault takes a worker's own word for what it could not compute, and removes it from the job.
func (l *leader) blameFault(r *lockstepv1.ReportFaultRequest) {
	j, err := l.find(r.Job)
	if err != nil {
		return
	}
	l.mu.Lock()
	l.poison.attempts[r.Worker] = r.Attempt
	l.mu.Unlock()
	l.remove(r.Worker, fmt.Sprintf("could not compute micro-batch %d of step %d of job %s: %s", r.Attempt.Micro, r.Attempt.Step, j.Id, r.Error))
}

// add notes that a worker at an address failed on a micro-batch, and says why the job has to fail, "" if it has not.
func (p *poison) add(job string, a *lockstepv1.Attempt, address string) string {
	b := p.blames[job]
	if b == nil || b.step != a.Step || b.micro != a.Micro {
		b = &blame{step: a.Step, micro: a.Micro}
		p.blames[job] = b
	}
	b.addresses = append(b.addresses, address)
	different := slices.Compact(slices.Sorted(slices.Values(b.addresses)))
	if len(different) < 2 && len(b.addresses) < maxBlames {
		return ""
	}
	return fmt.Sprintf("step %d, micro-batch %d fails on every worker that computes it (%s); %s; the last one: ", a.Step, a.Micro,
		strings.Join(different, ", "), a.Records)
}

// failPoisoned ends a job whose data or specification ends the workers.
func (l *leader) failPoisoned(j *lockstepv1.Job, reason string) {
	c := &lockstepv1.FailJob{Job: j.Id, Generation: j.Generation.Number, Reason: reason}
	if _, err := l.propose(l.ctx, &lockstepv1.Command{Op: &lockstepv1.Command_FailJob{FailJob: c}}); err != nil {
		l.log.Info("job was not ended", "job", j.Id, "error", err)
	}
}
