package coord

import (
	"bytes"
	"context"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// TransferLeader hands leadership to another coordinator.
func (s *clusterServer) TransferLeader(_ context.Context, r *lockstepv1.TransferLeaderRequest) (*lockstepv1.TransferLeaderResponse, error) {
	var f raft.Future
	switch {
	case r.Coordinator == s.cfg.ID:
		return &lockstepv1.TransferLeaderResponse{}, nil
	case r.Coordinator == "":
		f = s.raft.LeadershipTransfer()
	default:
		if _, err := addressBook(s.cfg.Bootstrap).ServerAddr(raft.ServerID(r.Coordinator)); err != nil {
			return nil, status.Errorf(codes.NotFound, "there is no coordinator %q", r.Coordinator)
		}
		f = s.raft.LeadershipTransferToServer(raft.ServerID(r.Coordinator), raft.ServerAddress(r.Coordinator))
	}
	if err := f.Error(); err != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "leadership was not transferred: %v", err)
	}
	return &lockstepv1.TransferLeaderResponse{}, nil
}

// SaveState returns the state with all that was committed before the call.
func (s *clusterServer) SaveState(context.Context, *lockstepv1.SaveStateRequest) (*lockstepv1.SaveStateResponse, error) {
	if err := s.raft.Barrier(applyTimeout).Error(); err != nil {
		return nil, unavailable(err)
	}
	var state *job.State
	s.fsm.read(func(now *job.State) { state = now.Clone() })
	var b bytes.Buffer
	if err := state.WriteSnapshot(&b); err != nil {
		return nil, status.Errorf(codes.Internal, "save state: %v", err)
	}
	return &lockstepv1.SaveStateResponse{State: b.Bytes()}, nil
}

// restoreTimeout bounds the replacement of the state.
const restoreTimeout = 30 * time.Second

// RestoreState puts a saved state in the place of the present one, on all coordinators. The coordinators stay who they
// are; workers register anew, and jobs that ran go on from their newest checkpoints.
func (s *clusterServer) RestoreState(_ context.Context, r *lockstepv1.RestoreStateRequest) (*lockstepv1.RestoreStateResponse, error) {
	state, err := job.ReadSnapshot(bytes.NewReader(r.State))
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "restore state: %v", err)
	}
	conf := s.raft.GetConfiguration()
	if err := conf.Error(); err != nil {
		return nil, unavailable(err)
	}
	meta := &raft.SnapshotMeta{Version: raft.SnapshotVersionMax, ID: "restored", Index: state.Index(), Term: 1,
		Configuration: conf.Configuration(), Size: int64(len(r.State))}
	if err := s.raft.Restore(meta, bytes.NewReader(r.State), restoreTimeout); err != nil {
		return nil, unavailable(err)
	}
	s.log.Warn("state was restored from a snapshot", "index", state.Index(), "bytes", len(r.State))
	return &lockstepv1.RestoreStateResponse{}, nil
}
