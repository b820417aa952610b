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

// speaksFor refuses a worker's request in the name of a worker that registered with another certificate. Coordinators
// and people are not asked: what they may do does not depend on the worker.
func (n *Node) speaksFor(ctx context.Context, req any) error {
	mine, id := owner(ctx), workerOf(req)
	if mine == "" || id == "" {
		return nil
	}
	var w *lockstepv1.Worker
	n.fsm.read(func(s *job.State) { w = s.Worker(id) })
	if w == nil || w.Owner == mine {
		return nil
	}
	n.log.Warn("call refused: it is in the name of another worker", "worker", id, "caller", mine)
	return status.Errorf(codes.PermissionDenied, "%s may not speak for worker %s", mine, id)
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
