package coord

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/job"
)

// owner is the worker's certificate that a call was made with; "" without one.
func owner(ctx context.Context) string {
	if who, ok := access.Caller(ctx); ok && who.Role == certs.Worker {
		return who.String()
	}
	return ""
}

// speaksFor refuses a worker's request in the name of a worker that registered with another certificate, and one about a job's
// generation none of whose members registered with this one. Coordinators and people are not asked: what they may do does
// not depend on the worker.
func (n *Node) speaksFor(ctx context.Context, req any) (err error) {
	mine := owner(ctx)
	if mine == "" {
		return nil
	}
	n.fsm.read(func(s *job.State) {
		if w := s.Worker(workerOf(req)); w != nil && w.Owner != mine {
			err = status.Errorf(codes.PermissionDenied, "%s may not speak for worker %s", mine, w.Id)
		} else if j := subject(s, req); j != nil {
			err = isMember(s, j, mine)
		}
	})
	if err != nil {
		n.log.Warn("call refused: it is not this worker's to make", "caller", mine, "error", err)
	}
	return err
}

// subject is the job whose generation at work a request is about; nil if it is about none, and about one that is over:
// that is refused for what it is.
func subject(s *job.State, req any) *lockstepv1.Job {
	of, ok := req.(interface{ GetJob() string })
	if !ok || of.GetJob() == "" {
		return nil
	}
	j := s.Job(of.GetJob())
	if j == nil {
		return nil
	}
	switch r := req.(type) {
	case *lockstepv1.AlertRequest: // names no generation
		return j
	case interface{ GetGeneration() uint64 }:
		if j.State == lockstepv1.JobState_JOB_STATE_RUNNING && r.GetGeneration() == j.Generation.GetNumber() {
			return j
		}
	}
	return nil
}

// isMember refuses a certificate that no member of a job's generation registered with. A member that is registered no longer
// may have been the caller: its generation is about to be over.
func isMember(s *job.State, j *lockstepv1.Job, mine string) error {
	code := codes.PermissionDenied
	for _, m := range j.Generation.GetMembers() {
		switch w := s.Worker(m.Worker); {
		case w == nil:
			code = codes.Aborted
		case w.Owner == mine:
			return nil
		}
	}
	return status.Errorf(code, "%s has no worker in generation %d of job %s", mine, j.Generation.GetNumber(), j.Id)
}

// workerOf is the worker in whose name a request is made; "" if it names none.
func workerOf(req any) string {
	switch r := req.(type) {
	case interface{ GetWorker() string }:
		return r.GetWorker()
	case *lockstepv1.RegisterRequest:
		return r.Worker.GetId()
	}
	return ""
}
