package coord

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

type workersServer struct {
	lockstepv1.UnimplementedWorkersServer
	*Node
}

// leading returns the open gate of leadership.
func (n *Node) leading() (*leader, error) {
	if l := n.lead.Load(); l != nil {
		return l, nil
	}
	return nil, status.Errorf(codes.Unavailable, "coordinator %s does not lead (any more)", n.cfg.ID)
}

func (s *workersServer) Register(ctx context.Context, r *lockstepv1.RegisterRequest) (*lockstepv1.RegisterResponse, error) {
	l, err := s.leading()
	if err != nil {
		return nil, err
	}
	if r.Worker.GetId() == "" || r.Worker.GetAddress() == "" {
		return nil, status.Error(codes.InvalidArgument, "a worker needs an id and an address")
	}
	l.hear(r.Worker.Id)
	r.Worker.Owner = owner(ctx)
	c := &lockstepv1.AddWorker{Worker: r.Worker}
	if _, err := l.propose(ctx, &lockstepv1.Command{RequestId: r.RequestId, Op: &lockstepv1.Command_AddWorker{AddWorker: c}}); err != nil {
		return nil, err
	}
	reply := &lockstepv1.RegisterResponse{LeaseMs: s.cfg.Lease.Milliseconds()}
	l.fsm.read(func(st *job.State) { reply.Forget = st.Quarantine(r.Worker.Address) != nil })
	return reply, nil
}

func (s *workersServer) Heartbeat(_ context.Context, r *lockstepv1.HeartbeatRequest) (*lockstepv1.HeartbeatResponse, error) {
	l, err := s.leading()
	if err != nil {
		return nil, err
	}
	var w *lockstepv1.Worker
	l.fsm.read(func(st *job.State) { w = st.Worker(r.Worker) })
	if w == nil {
		return nil, status.Errorf(codes.NotFound, "worker %q is not registered", r.Worker)
	}
	l.hear(r.Worker)
	l.clock(r)
	return &lockstepv1.HeartbeatResponse{}, nil
}

// WatchAssignment sends what a worker has to do, now and after every change, and the index of the state that says so: a
// replica that is behind it, as after its start, is not believed afterwards. The end of the stream is the first sign that
// a worker's process has ended.
func (s *workersServer) WatchAssignment(r *lockstepv1.WatchAssignmentRequest, stream grpc.ServerStreamingServer[lockstepv1.Assignment]) error {
	if err := s.speaksFor(stream.Context(), r); err != nil {
		return err
	}
	var sent *lockstepv1.Job
	for first := true; ; first = false {
		var known bool
		var index uint64
		var j *lockstepv1.Job
		changed := s.fsm.read(func(st *job.State) { known, index, j = st.Worker(r.Worker) != nil, st.Index(), st.JobOf(r.Worker) })
		if !known {
			return status.Errorf(codes.NotFound, "worker %q is not registered", r.Worker)
		}
		if first || j != sent {
			if err := stream.Send(&lockstepv1.Assignment{Job: j, Index: index}); err != nil {
				return err
			}
			sent = j
		}
		if err := s.wait(stream.Context(), changed); err != nil {
			if status.Code(err) == codes.Canceled {
				s.start(func() { s.suspectAnywhere(r.Worker) })
			}
			return err
		}
	}
}

// suspectAnywhere has the leader look at a worker whose stream to this coordinator has ended.
func (n *Node) suspectAnywhere(worker string) {
	ctx, cancel := context.WithTimeout(n.ctx, probeTimeout)
	defer cancel()
	r := &lockstepv1.ReportFaultRequest{Suspect: worker, Error: "its process has ended"}
	if l := n.lead.Load(); l != nil {
		l.suspect(worker, r.Error)
		return
	}
	if conn, err := n.peers.leader(); err == nil {
		// Only a hint: the lease decides if it does not arrive.
		_, _ = lockstepv1.NewWorkersClient(conn).ReportFault(ctx, r)
	}
}

func (s *workersServer) Join(_ context.Context, r *lockstepv1.JoinRequest) (*lockstepv1.JoinResponse, error) {
	l, err := s.leading()
	if err != nil {
		return nil, err
	}
	if err := l.current(r.Job, r.Generation); err != nil {
		return nil, err
	}
	if err := l.join(r); err != nil {
		return nil, err
	}
	l.hear(r.Worker)
	l.wake()
	return &lockstepv1.JoinResponse{}, nil
}

// current refuses what is of another generation than the job's newest.
func (l *leader) current(id string, generation uint64) error {
	j, err := l.find(id)
	if err != nil {
		return err
	}
	if job.Ended(j.State) || j.Generation.GetNumber() != generation {
		return status.Errorf(codes.Aborted, "generation %d of job %s is over", generation, id)
	}
	return nil
}

func (s *workersServer) ReportFault(ctx context.Context, r *lockstepv1.ReportFaultRequest) (*lockstepv1.ReportFaultResponse, error) {
	l, err := s.leading()
	if err != nil {
		return nil, err
	}
	ok := &lockstepv1.ReportFaultResponse{}
	if r.Job != "" {
		l.hear(r.Worker)
		if err := l.current(r.Job, r.Generation); err != nil {
			return nil, err
		}
		l.log.Info("fault reported", "job", r.Job, "generation", r.Generation, "worker", r.Worker, "suspect", r.Suspect, "error", r.Error)
	}
	if r.Divergence != nil {
		defer l.wake()
		return ok, l.diverged(ctx, r)
	}
	if r.Attempt != nil {
		l.blameFault(r)
		defer l.wake()
		return ok, nil
	}
	if r.BadCheckpoint != "" {
		l.examine(ctx, r.Job, r.BadCheckpoint)
	}
	why := "its process has ended"
	if r.Worker != "" {
		why = fmt.Sprintf("worker %s found that its process has ended", r.Worker)
	}
	if l.suspect(r.Suspect, why) || r.Job == "" {
		l.wake()
		return ok, nil
	}
	l.ringBroke(r.Job, r.Generation, fmt.Sprintf("worker %s: %s", r.Worker, r.Error))
	l.wake()
	return ok, nil
}

// DrainWorker keeps a worker from being given work, or ends that.
func (s *workersServer) DrainWorker(ctx context.Context, r *lockstepv1.DrainWorkerRequest) (*lockstepv1.DrainWorkerResponse, error) {
	c := &lockstepv1.DrainWorker{Worker: r.Worker, Draining: r.Draining, Reason: r.Reason}
	_, err := s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_DrainWorker{DrainWorker: c}})
	return &lockstepv1.DrainWorkerResponse{}, err
}

func (s *workersServer) Leave(ctx context.Context, r *lockstepv1.LeaveRequest) (*lockstepv1.LeaveResponse, error) {
	c := &lockstepv1.RemoveWorker{Worker: r.Worker, Reason: r.Reason}
	_, err := s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_RemoveWorker{RemoveWorker: c}})
	return &lockstepv1.LeaveResponse{}, ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if status.Code(err) == codes.NotFound {
		return nil
	}
	return err
}

func (s *workersServer) ListWorkers(context.Context, *lockstepv1.ListWorkersRequest) (*lockstepv1.ListWorkersResponse, error) {
	out := &lockstepv1.ListWorkersResponse{}
	s.fsm.read(func(st *job.State) {
		for _, w := range st.Workers() {
			ws := &lockstepv1.WorkerStatus{Worker: w, Quarantined: w.QuarantinedUntilMs > time.Now().UnixMilli()}
			if j := st.JobOf(w.Id); j != nil {
				ws.Job = j.Id
				for _, v := range j.Progress.GetSpeeds() {
					if v.Name == w.Id {
						ws.Speed = v.Value
					}
				}
				for _, m := range j.Generation.Members {
					if m.Worker == w.Id {
						ws.Segments = m.SegmentTo - m.SegmentFrom
					}
				}
			}
			out.Workers = append(out.Workers, ws)
		}
	})
	return out, nil
}
