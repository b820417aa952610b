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
// to compute it. A worker that is lost then was at that micro-batch. It may have been so by chance: processes that are
// killed from outside leave no other trace. So it takes maxBlames such losses in a row to condemn the micro-batch, and
// the job; where workers live to tell that they could not compute it, two of them are enough. What is known here is the
// leader's alone: a new leader begins anew.

// maxBlames is how often one micro-batch may fail, be it always on the same machine.
const maxBlames = 3

// poison is what may have cost workers.
type poison struct {
	attempts map[string]*lockstepv1.Attempt // by worker: what it said it computes
	blames   map[string]*blame              // by job: the micro-batch that was blamed last
}

// blame is a micro-batch on which workers failed.
type blame struct {
	step      uint64
	micro     uint32
	addresses []string // of the workers, in the order in which they failed
	witnesses []string // of those that told so themselves
}

func newPoison() *poison {
	return &poison{attempts: map[string]*lockstepv1.Attempt{}, blames: map[string]*blame{}}
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

// blameLoss looks, before a worker is removed, what it was computing. told: the worker lives, and has told of it.
func (l *leader) blameLoss(worker, reason string, told bool) {
	var j *lockstepv1.Job
	l.fsm.read(func(s *job.State) { j = s.JobOf(worker) })
	l.mu.Lock()
	a := l.poison.attempts[worker]
	delete(l.poison.attempts, worker)
	i := slices.IndexFunc(j.GetGeneration().GetMembers(), func(m *lockstepv1.Member) bool { return m.Worker == worker })
	if i < 0 || a == nil {
		l.mu.Unlock()
		return
	}
	why := l.poison.add(j.Id, a, j.Generation.Members[i].Address, told)
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
	reason := fmt.Sprintf("could not compute micro-batch %d of step %d of job %s: %s", r.Attempt.Micro, r.Attempt.Step, j.Id, r.Error)
	l.blameLoss(r.Worker, reason, true)
	l.remove(r.Worker, reason)
}

// add notes that a worker at an address failed on a micro-batch, and says why the job has to fail, "" if it has not.
func (p *poison) add(job string, a *lockstepv1.Attempt, address string, told bool) string {
	b := p.blames[job]
	if b == nil || b.step != a.Step || b.micro != a.Micro {
		b = &blame{step: a.Step, micro: a.Micro}
		p.blames[job] = b
	}
	b.addresses = append(b.addresses, address)
	if told && !slices.Contains(b.witnesses, address) {
		b.witnesses = append(b.witnesses, address)
	}
	if len(b.witnesses) < 2 && len(b.addresses) < maxBlames {
		return ""
	}
	different := slices.Compact(slices.Sorted(slices.Values(b.addresses)))
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
