package coord

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/job"
)

func (s *chunksServer) GetChunk(ctx context.Context, r *lockstepv1.GetChunkRequest) (*lockstepv1.GetChunkResponse, error) {
	h, err := ckpt.HashFrom(r.Hash)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	get := s.getAnywhere
	if r.Local {
		get = s.getHere
	}
	data, err := get(ctx, h)
	return &lockstepv1.GetChunkResponse{Data: data}, err
}

// getHere reads this coordinator's copy; a bad one is set aside.
func (n *Node) getHere(ctx context.Context, h ckpt.Hash) ([]byte, error) {
	data, err := n.chunks.Get(ctx, h)
	if errors.Is(err, ckpt.ErrCorrupt) {
		n.quarantine(h, err)
	}
	return data, getError(err)
}

// getAnywhere reads a chunk here, or else from another coordinator, which mends the copy here. That there is no good
// copy is known only when a majority has said so: a chunk of a committed checkpoint was on one.
func (n *Node) getAnywhere(ctx context.Context, h ckpt.Hash) ([]byte, error) {
	data, err := n.getHere(ctx, h)
	if err == nil {
		return data, nil
	}
	without := 1
	for _, id := range n.peers.others() {
		data, there := n.getThere(ctx, id, h)
		switch {
		case there == nil:
			n.mend(ctx, h, data)
			return data, nil
		case noGoodCopy(there):
			without++
		}
	}
	if without < n.majority() {
		return nil, status.Errorf(codes.Unavailable, "%d of %d coordinators have no good copy of chunk %s, the others do not answer",
			without, len(n.cfg.Bootstrap), h)
	}
	return nil, err
}

// noGoodCopy reports whether a coordinator has answered that it has none.
func noGoodCopy(err error) bool {
	return status.Code(err) == codes.NotFound || status.Code(err) == codes.DataLoss
}

// getThere asks another coordinator for its own copy.
func (n *Node) getThere(ctx context.Context, id string, h ckpt.Hash) ([]byte, error) {
	conn, err := n.peers.to(id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	r, err := lockstepv1.NewChunksClient(conn).GetChunk(ctx, &lockstepv1.GetChunkRequest{Hash: h[:], Local: true})
	if err == nil && ckpt.HashOf(r.Data) != h {
		err = status.Errorf(codes.Unavailable, "coordinator %s sent other bytes for chunk %s", id, h)
	}
	return r.GetData(), err
}

func getError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ckpt.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, ckpt.ErrCorrupt):
		return status.Error(codes.DataLoss, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}

// mend stores a good copy of a chunk here. It may fail, as on a full disk: the read is answered all the same.
func (n *Node) mend(ctx context.Context, h ckpt.Hash, data []byte) {
	if _, err := n.putHere(ctx, data); err != nil {
		n.log.Warn("chunk was not mended", "chunk", h.String(), "error", err)
	}
}

// quarantine sets a bad chunk aside and alerts every job whose checkpoints need it.
func (n *Node) quarantine(h ckpt.Hash, cause error) {
	if err := n.chunks.Quarantine(h, cause.Error()); err != nil {
		n.log.Warn("chunk was not quarantined", "chunk", h.String(), "error", err)
	}
	n.log.Warn("chunk is corrupt", "chunk", h.String(), "error", cause)
	for _, id := range n.jobsWith(h) {
		n.start(func() {
			n.alert(id, fmt.Sprintf("coordinator %s has set aside a corrupt copy of chunk %s of its checkpoints or data: %v", n.cfg.ID, h, cause))
		})
	}
}

// jobsWith lists the jobs with a checkpoint, or a dataset, that has the chunk.
func (n *Node) jobsWith(h ckpt.Hash) (ids []string) {
	isIt := func(b []byte) bool { return bytes.Equal(b, h[:]) }
	n.fsm.read(func(s *job.State) {
		for _, j := range s.Jobs() {
			if slices.ContainsFunc(job.Stored(j), func(c *lockstepv1.Checkpoint) bool { return slices.ContainsFunc(c.Chunks, isIt) }) {
				ids = append(ids, j.Id)
			}
		}
	})
	for _, d := range n.datasets() {
		if slices.Contains(n.chunksOf(d), h) {
			ids = append(ids, n.readersOf(d.Root)...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// readersOf lists the jobs that read a version of a dataset and have not ended.
func (n *Node) readersOf(root []byte) (ids []string) {
	n.fsm.read(func(s *job.State) {
		for _, j := range s.Jobs() {
			if !job.Ended(j.State) && bytes.Equal(j.DatasetRoot, root) {
				ids = append(ids, j.Id)
			}
		}
	})
	return ids
}

// alert tells the users of a job, through the leader.
func (n *Node) alert(id, reason string) {
	ctx, cancel := context.WithTimeout(n.ctx, applyTimeout)
	defer cancel()
	if err := n.sendAlert(ctx, &lockstepv1.AlertRequest{Job: id, Reason: reason}); err != nil {
		n.log.Info("alert was not delivered", "job", id, "reason", reason, "error", err)
	}
}

func (n *Node) sendAlert(ctx context.Context, r *lockstepv1.AlertRequest) error {
	if n.lead.Load() != nil {
		_, err := (&workersServer{Node: n}).Alert(ctx, r)
		return err
	}
	conn, err := n.peers.leader()
	if err != nil {
		return err
	}
	_, err = lockstepv1.NewWorkersClient(conn).Alert(ctx, r)
	return err
}
