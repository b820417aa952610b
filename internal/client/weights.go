package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/export"
)

// Weights returns the tensors of a stored safetensors file, whose id is the digest of all its bytes.
func (c *Client) Weights(ctx context.Context, k *lockstepv1.Checkpoint) ([]export.Tensor, error) {
	m, err := ckpt.ManifestFrom(k.GetSize(), k.GetChunks(), k.GetRoot())
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w", k.GetId(), err)
	}
	r, err := ckpt.NewChunkReader(ctx, m, c.chunk)
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w", k.Id, err)
	}
	sum := sha256.New()
	tensors, err := export.ReadSafetensors(io.TeeReader(r, sum))
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w", k.Id, err)
	}
	if d := "sha256:" + hex.EncodeToString(sum.Sum(nil)); d != k.Id {
		return nil, fmt.Errorf("weights %s: they are %s: %w", k.Id, d, ckpt.ErrCorrupt)
	}
	return tensors, nil
}

// PutFile stores a file in chunks at the coordinators; its id is the digest of all its bytes.
func (c *Client) PutFile(ctx context.Context, path string) (*lockstepv1.Checkpoint, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	out := &lockstepv1.Checkpoint{}
	var hashes []ckpt.Hash
	for buf := make([]byte, ckpt.ChunkSize); ; {
		n, err := io.ReadFull(f, buf)
		if n > 0 {
			sum.Write(buf[:n])
			out.Size += int64(n)
			if _, err := c.PutChunk(ctx, &lockstepv1.PutChunkRequest{Data: buf[:n]}); err != nil {
				return nil, fmt.Errorf("store %s: %w", path, err)
			}
			hashes = append(hashes, ckpt.HashOf(buf[:n]))
			out.Chunks = append(out.Chunks, hashes[len(hashes)-1][:])
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	root := ckpt.NewManifest(out.Size, hashes).Root
	out.Root, out.Id = root[:], "sha256:"+hex.EncodeToString(sum.Sum(nil))
	return out, nil
}
