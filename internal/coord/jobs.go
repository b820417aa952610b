package coord

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
	"lockstep/internal/spec"
)

type jobsServer struct {
	lockstepv1.UnimplementedJobsServer
	*Node
}

func (s *jobsServer) SubmitJob(ctx context.Context, r *lockstepv1.SubmitJobRequest) (*lockstepv1.Job, error) {
	parsed, err := spec.FromCanonical(r.Spec)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "specification: %v", err)
	}
	if err := s.readable(parsed); err != nil {
		return nil, err
	}
	initial, err := s.pin(ctx, parsed, r.Initial)
	if err != nil {
		return nil, err
	}
	j := newJob(parsed)
	if j.DatasetRoot, err = s.pinned(parsed.Spec.Dataset.Source); err != nil {
		return nil, err
	}
	j.Initial = initial
	res, err := s.propose(ctx, &lockstepv1.Command{RequestId: r.RequestId, Op: &lockstepv1.Command_CreateJob{
		CreateJob: &lockstepv1.CreateJob{Job: j}}})
	if err != nil {
		return nil, err
	}
	return s.find(res.Id)
}

// readable refuses a job whose data lie where workers would not read them. The paths are theirs: a worker follows the
// links there before it opens anything.
func (n *Node) readable(j *spec.Job) error {
	if err := n.cfg.DataRoots.Check(j.Spec.Dataset.Source); err != nil {
		return status.Errorf(codes.InvalidArgument, "dataset.source: %v", err)
	}
	return nil
}

// newID makes a job's id: its name and six random letters, so that people can tell jobs apart.
func newID(name string) string {
	var b [3]byte
	rand.Read(b[:])
	return fmt.Sprintf("%s-%s", name, hex.EncodeToString(b[:]))
}

func (n *Node) find(idOrName string) (*lockstepv1.Job, error) {
	var j *lockstepv1.Job
	n.fsm.read(func(s *job.State) { j = s.Job(idOrName) })
	if j == nil {
		return nil, status.Errorf(codes.NotFound, "there is no job %q", idOrName)
	}
	return j, nil
}

// seek is find for requests that the leader does not answer: a job that this replica does not know may be news to it.
func (n *Node) seek(ctx context.Context, idOrName string) (*lockstepv1.Job, error) {
	if j, err := n.find(idOrName); err == nil {
		return j, nil
	}
	if err := n.meetLeader(ctx); err != nil {
		return nil, err
	}
	return n.find(idOrName)
}

func (s *jobsServer) GetJob(_ context.Context, r *lockstepv1.GetJobRequest) (*lockstepv1.Job, error) {
	return s.find(r.Job)
}

// GetLedger is answered by the leader, so that who has seen a job sees all of its ledger.
func (s *jobsServer) GetLedger(_ context.Context, r *lockstepv1.GetJobRequest) (*lockstepv1.Ledger, error) {
	j, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	out := &lockstepv1.Ledger{Job: j.Id}
	s.fsm.read(func(st *job.State) {
		if l := st.Ledger(j.Id); l != nil {
			out = l
		}
	})
	return out, nil
}

func (s *jobsServer) GetSeries(_ context.Context, r *lockstepv1.GetJobRequest) (*lockstepv1.Series, error) {
	j, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	return s.series(j.Id), nil
}

// series is the figures of a job so far, of a job by its id.
func (n *Node) series(id string) *lockstepv1.Series {
	out := &lockstepv1.Series{Job: id}
	n.fsm.read(func(st *job.State) {
		if x := st.Series(id); x != nil {
			out = x
		}
	})
	return out
}

func (s *jobsServer) ListJobs(context.Context, *lockstepv1.ListJobsRequest) (*lockstepv1.ListJobsResponse, error) {
	out := &lockstepv1.ListJobsResponse{}
	s.fsm.read(func(st *job.State) { out.Jobs = st.Jobs() })
	return out, nil
}

func (s *jobsServer) CancelJob(ctx context.Context, r *lockstepv1.CancelJobRequest) (*lockstepv1.Job, error) {
	j, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	c := &lockstepv1.CancelJob{Job: j.Id, Reason: r.Reason}
	return s.change(ctx, j.Id, &lockstepv1.Command{Op: &lockstepv1.Command_CancelJob{CancelJob: c}})
}

func (s *jobsServer) PauseJob(ctx context.Context, r *lockstepv1.PauseJobRequest) (*lockstepv1.Job, error) {
	j, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	c := &lockstepv1.PauseJob{Job: j.Id, Reason: r.Reason}
	return s.change(ctx, j.Id, &lockstepv1.Command{Op: &lockstepv1.Command_PauseJob{PauseJob: c}})
}

func (s *jobsServer) ResumeJob(ctx context.Context, r *lockstepv1.ResumeJobRequest) (*lockstepv1.Job, error) {
	j, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	c := &lockstepv1.ResumeJob{Job: j.Id}
	return s.change(ctx, j.Id, &lockstepv1.Command{Op: &lockstepv1.Command_ResumeJob{ResumeJob: c}})
}

func (s *jobsServer) ScaleJob(ctx context.Context, r *lockstepv1.ScaleJobRequest) (*lockstepv1.Job, error) {
	j, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	c := &lockstepv1.ScaleJob{Job: j.Id, WorkersMin: r.WorkersMin, WorkersMax: r.WorkersMax}
	return s.change(ctx, j.Id, &lockstepv1.Command{Op: &lockstepv1.Command_ScaleJob{ScaleJob: c}})
}

// change applies a command and returns the job as it is then.
func (s *jobsServer) change(ctx context.Context, id string, c *lockstepv1.Command) (*lockstepv1.Job, error) {
	if _, err := s.propose(ctx, c); err != nil {
		return nil, err
	}
	return s.find(id)
}

// RetryJob makes a job that goes on where one that failed or was cancelled had got to.
func (s *jobsServer) RetryJob(ctx context.Context, r *lockstepv1.RetryJobRequest) (*lockstepv1.Job, error) {
	old, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	from, err := job.RetryFrom(old, r.From)
	if err != nil {
		return nil, status.Errorf(codes.NotFound, "%v", err)
	}
	c := &lockstepv1.CreateJob{Job: job.Again(old, newID(old.Name)), From: from}
	res, err := s.propose(ctx, &lockstepv1.Command{RequestId: r.RequestId, Op: &lockstepv1.Command_CreateJob{CreateJob: c}})
	if err != nil {
		return nil, err
	}
	return s.find(res.Id)
}

func (s *jobsServer) DeleteJob(ctx context.Context, r *lockstepv1.DeleteJobRequest) (*lockstepv1.DeleteJobResponse, error) {
	j, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	_, err = s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_DeleteJob{DeleteJob: &lockstepv1.DeleteJob{Job: j.Id, Force: r.Force}}})
	return &lockstepv1.DeleteJobResponse{}, err
}

func (s *jobsServer) DeleteCheckpoint(ctx context.Context, r *lockstepv1.DeleteCheckpointRequest) (*lockstepv1.Job, error) {
	j, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	c := &lockstepv1.DeleteCheckpoint{Job: j.Id, Checkpoint: r.Checkpoint}
	return s.change(ctx, j.Id, &lockstepv1.Command{Op: &lockstepv1.Command_DeleteCheckpoint{DeleteCheckpoint: c}})
}

func (s *jobsServer) WatchJob(r *lockstepv1.GetJobRequest, stream grpc.ServerStreamingServer[lockstepv1.Job]) error {
	j, err := s.seek(stream.Context(), r.Job)
	if err != nil {
		return err
	}
	id, sent := j.Id, (*lockstepv1.Job)(nil)
	for {
		changed := s.fsm.read(func(st *job.State) { j = st.Job(id) })
		if j == nil {
			return status.Errorf(codes.NotFound, "job %q was deleted", id)
		}
		if sent == nil || (j != sent && !proto.Equal(j, sent)) {
			if err := stream.Send(j); err != nil {
				return err
			}
			sent = j
		}
		if job.Ended(j.State) {
			return nil
		}
		if err := s.wait(stream.Context(), changed); err != nil {
			return err
		}
	}
}

func (s *jobsServer) WatchEvents(r *lockstepv1.WatchEventsRequest, stream grpc.ServerStreamingServer[lockstepv1.Event]) error {
	id := ""
	if r.Job != "" {
		j, err := s.seek(stream.Context(), r.Job)
		if err != nil {
			return err
		}
		id = j.Id
	}
	if !r.Follow {
		_ = s.meetLeader(stream.Context()) // without a leader it is what this replica knows
	}
	for after := r.After; ; {
		var events []*lockstepv1.Event
		over := !r.Follow
		changed := s.fsm.read(func(st *job.State) {
			events = st.EventsAfter(after)
			over = over || id != "" && (st.Job(id) == nil || job.Ended(st.Job(id).State))
		})
		for _, e := range events {
			after = e.Sequence
			if id != "" && e.Job != id {
				continue
			}
			if err := stream.Send(e); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
		if err := s.wait(stream.Context(), changed); err != nil {
			return err
		}
	}
}

// wait returns nil at the next change of the state. A coordinator that closes, or that no longer hears of a leader
// and so would show its client the past, ends the stream: the client goes to another.
func (n *Node) wait(ctx context.Context, changed <-chan struct{}) error {
	for {
		select {
		case <-changed:
			return nil
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-n.ctx.Done():
			return status.Error(codes.Unavailable, "this coordinator is closing")
		case <-n.clock():
			if n.isolated() {
				return status.Errorf(codes.Unavailable, "coordinator %s has lost its leader", n.cfg.ID)
			}
		}
	}
}
