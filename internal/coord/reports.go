package coord

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/spec"
)

// ReportProgress records how far a job is. Figures that are behind what is known are not an error for their sender:
// after a loss of all workers the steps since the last checkpoint are done again.
func (s *workersServer) ReportProgress(ctx context.Context, r *lockstepv1.ReportProgressRequest) (*lockstepv1.ReportProgressResponse, error) {
	if l := s.lead.Load(); l != nil && r.Progress != nil {
		r.Progress.Speeds = l.speedsOf(r.Job)
	}
	c := &lockstepv1.RecordProgress{Job: r.Job, Generation: r.Generation, Progress: r.Progress, Ledger: r.Ledger}
	_, err := s.propose(ctx, &lockstepv1.Command{RequestId: r.RequestId, Op: &lockstepv1.Command_RecordProgress{RecordProgress: c}})
	return &lockstepv1.ReportProgressResponse{}, err
}

// ReportCheckpoint commits a checkpoint whose chunks are on a majority of the coordinators, or says which are not.
func (s *workersServer) ReportCheckpoint(ctx context.Context, r *lockstepv1.ReportCheckpointRequest) (*lockstepv1.ReportCheckpointResponse, error) {
	j, err := s.find(r.Job)
	if err != nil {
		return nil, err
	}
	if err := validManifest(r.Checkpoint); err != nil {
		return nil, err
	}
	missing, err := s.missing(ctx, r.Checkpoint.Chunks)
	if err != nil || len(missing) > 0 {
		return &lockstepv1.ReportCheckpointResponse{Missing: missing}, err
	}
	t, err := spec.FromCanonical(j.Spec)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "specification of job %s: %v", j.Id, err)
	}
	c := &lockstepv1.CommitCheckpoint{
		Job: r.Job, Generation: r.Generation, Checkpoint: r.Checkpoint, KeepLast: uint32(t.Spec.Checkpoint.KeepLast),
		KeepBest: uint32(t.Spec.Checkpoint.KeepBest),
	}
	_, err = s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_CommitCheckpoint{CommitCheckpoint: c}})
	return &lockstepv1.ReportCheckpointResponse{}, err
}

func (s *workersServer) Finish(ctx context.Context, r *lockstepv1.FinishRequest) (*lockstepv1.FinishResponse, error) {
	c := &lockstepv1.FinishJob{Job: r.Job, Generation: r.Generation, ModelDigest: r.ModelDigest, Progress: r.Progress, Ledger: r.Ledger}
	_, err := s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_FinishJob{FinishJob: c}})
	return &lockstepv1.FinishResponse{}, err
}

// Fail ends a job for a reason that lies in the job: its data, its specification, its numbers.
func (s *workersServer) Fail(ctx context.Context, r *lockstepv1.FailRequest) (*lockstepv1.FailResponse, error) {
	c := &lockstepv1.FailJob{Job: r.Job, Generation: r.Generation, Reason: r.Reason}
	_, err := s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_FailJob{FailJob: c}})
	return &lockstepv1.FailResponse{}, err
}

func (s *workersServer) Alert(ctx context.Context, r *lockstepv1.AlertRequest) (*lockstepv1.AlertResponse, error) {
	c := &lockstepv1.RaiseAlert{Job: r.Job, Reason: r.Reason, Notice: r.Notice}
	_, err := s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_RaiseAlert{RaiseAlert: c}})
	return &lockstepv1.AlertResponse{}, err
}
