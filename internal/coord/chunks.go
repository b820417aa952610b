package coord

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
)

// chunksServer keeps the chunks of checkpoints. A chunk is put on as many coordinators as can be reached, and has to
// be on a majority; a read that finds a bad copy, or none, takes another coordinator's and mends its own.
type chunksServer struct {
	lockstepv1.UnimplementedChunksServer
	*Node
}

// majority is how many coordinators make one.
func (n *Node) majority() int { return len(n.cfg.Bootstrap)/2 + 1 }

func (s *chunksServer) PutChunk(ctx context.Context, r *lockstepv1.PutChunkRequest) (*lockstepv1.PutChunkResponse, error) {
	if len(r.Data) == 0 || len(r.Data) > ckpt.MaxChunk {
		return nil, status.Errorf(codes.InvalidArgument, "chunk of %d bytes: want 1 to %d", len(r.Data), ckpt.MaxChunk)
	}
	if r.Local {
		h, err := s.putHere(ctx, r.Data)
		return &lockstepv1.PutChunkResponse{Hash: h[:]}, err
	}
	var mu sync.Mutex
	var errs []error
	stored := 0
	done := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs = append(errs, err)
			return
		}
		stored++
	}
	var h ckpt.Hash
	var g sync.WaitGroup
	g.Go(func() {
		var err error
		h, err = s.putHere(ctx, r.Data)
		done(err)
	})
	for _, id := range s.peers.others() {
		g.Go(func() { done(s.putThere(ctx, id, r.Data)) })
	}
	g.Wait()
	if stored < s.majority() {
		return nil, putError(stored, s.majority(), errs)
	}
	return &lockstepv1.PutChunkResponse{Hash: h[:]}, nil
}

// putError is a status whose code is that of the reason which no retry can mend, if there is one.
func putError(stored, want int, errs []error) error {
	code := codes.Unavailable
	for _, err := range errs {
		if status.Code(err) == codes.ResourceExhausted {
			code = codes.ResourceExhausted
		}
	}
	return status.Errorf(code, "chunk is on %d coordinators, want %d: %v", stored, want, errors.Join(errs...))
}

// putHere returns the chunk's hash whether it was stored or not.
func (n *Node) putHere(ctx context.Context, data []byte) (ckpt.Hash, error) {
	h := ckpt.HashOf(data)
	n.recent.add(h)
	_, err := n.chunks.Put(ctx, data)
	switch {
	case errors.Is(err, ckpt.ErrNoSpace):
		return h, status.Errorf(codes.ResourceExhausted, "coordinator %s: %v", n.cfg.ID, err)
	case err != nil:
		return h, status.Errorf(codes.Unavailable, "coordinator %s: %v", n.cfg.ID, err)
	}
	return h, nil
}

// putTimeout bounds the wait for one other coordinator.
const putTimeout = 10 * time.Second

func (s *chunksServer) putThere(ctx context.Context, id string, data []byte) error {
	conn, err := s.peers.to(id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	_, err = lockstepv1.NewChunksClient(conn).PutChunk(ctx, &lockstepv1.PutChunkRequest{Data: data, Local: true})
	return err
}

func (s *chunksServer) HasChunks(_ context.Context, r *lockstepv1.HasChunksRequest) (*lockstepv1.HasChunksResponse, error) {
	return &lockstepv1.HasChunksResponse{Has: s.hasHere(r.Hashes)}, nil
}

func (n *Node) hasHere(hashes [][]byte) []bool {
	has := make([]bool, len(hashes))
	for i, b := range hashes {
		if h, err := ckpt.HashFrom(b); err == nil {
			n.recent.add(h)
			has[i] = n.chunks.Has(h)
		}
	}
	return has
}

// missing returns the positions of the chunks that are not on a majority of the coordinators.
func (n *Node) missing(ctx context.Context, hashes [][]byte) ([]uint32, error) {
	copies := make([]int, len(hashes))
	count := func(has []bool) {
		for i := range min(len(has), len(copies)) {
			if has[i] {
				copies[i]++
			}
		}
	}
	count(n.hasHere(hashes))
	for _, id := range n.peers.others() {
		conn, err := n.peers.to(id)
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		r, err := lockstepv1.NewChunksClient(conn).HasChunks(ctx, &lockstepv1.HasChunksRequest{Hashes: hashes})
		cancel()
		if err == nil {
			count(r.Has)
		}
	}
	var out []uint32
	for i, c := range copies {
		if c < n.majority() {
			out = append(out, uint32(i))
		}
	}
	return out, ctx.Err()
}

// validManifest refuses a checkpoint whose root does not follow from its chunks.
func validManifest(c *lockstepv1.Checkpoint) error {
	m, err := ckpt.ManifestFrom(c.GetSize(), c.GetChunks(), c.GetRoot())
	if err == nil {
		err = m.Verify()
	}
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "checkpoint: %v", err)
	}
	return nil
}
