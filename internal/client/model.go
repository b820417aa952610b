package client

import (
	"context"
	"errors"
	"fmt"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/artifact"
	"lockstep/internal/ckpt"
	"lockstep/internal/export"
)

// ErrNoCheckpoint marks a job of which nothing is committed yet.
var ErrNoCheckpoint = errors.New("no committed checkpoint")

// Model returns the model in a job's newest committed checkpoint, verified chunk by chunk, and that checkpoint. Of a
// job that SUCCEEDED it is the model whose digest is the job's.
func (c *Client) Model(ctx context.Context, j *lockstepv1.Job) ([]export.Tensor, *lockstepv1.Checkpoint, error) {
	n := len(j.GetCheckpoints())
	if n == 0 {
		return nil, nil, fmt.Errorf("export model of job %q: %w", j.GetId(), ErrNoCheckpoint)
	}
	newest := j.Checkpoints[n-1]
	m, err := manifestOf(newest)
	if err != nil {
		return nil, nil, fmt.Errorf("export model of job %q: %w", j.Id, err)
	}
	tensors, err := artifact.Load(ctx, m, c.chunk)
	if err != nil {
		return nil, nil, fmt.Errorf("export model of job %q: checkpoint %s: %w", j.Id, newest.Id, err)
	}
	return tensors, newest, nil
}

// State returns the training state in a committed checkpoint, verified chunk by chunk.
func (c *Client) State(ctx context.Context, k *lockstepv1.Checkpoint) (*ckpt.State, error) {
	m, err := manifestOf(k)
	if err == nil {
		err = m.Verify()
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", k.Id, err)
	}
	r, err := ckpt.NewChunkReader(ctx, m, c.chunk)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", k.Id, err)
	}
	s, err := ckpt.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", k.Id, err)
	}
	return s, nil
}

// chunk fetches a chunk of a checkpoint.
func (c *Client) chunk(ctx context.Context, h ckpt.Hash) ([]byte, error) {
	r, err := c.GetChunk(ctx, &lockstepv1.GetChunkRequest{Hash: h[:]})
	if err != nil {
		return nil, err
	}
	return r.Data, nil
}

// manifestOf is a checkpoint's record as its manifest.
func manifestOf(c *lockstepv1.Checkpoint) (ckpt.Manifest, error) {
	m := ckpt.Manifest{Size: c.Size}
	for _, chunk := range c.Chunks {
		h, err := hash(chunk)
		if err != nil {
			return ckpt.Manifest{}, err
		}
		m.Chunks = append(m.Chunks, h)
	}
	var err error
	m.Root, err = hash(c.Root)
	return m, err
}

func hash(b []byte) (ckpt.Hash, error) {
	if len(b) != len(ckpt.Hash{}) {
		return ckpt.Hash{}, fmt.Errorf("a hash of %d bytes: %w", len(b), ckpt.ErrCorrupt)
	}
	return ckpt.Hash(b), nil
}
