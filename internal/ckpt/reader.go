package ckpt

import (
	"context"
	"fmt"
	"io"
)

// Fetch returns the bytes of a chunk, from a store, a peer or another replica.
type Fetch func(ctx context.Context, h Hash) ([]byte, error)

// ChunkReader reads what a manifest describes, fetching chunk after chunk. Nothing is delivered before it was verified.
type ChunkReader struct {
	ctx   context.Context // the reader lives within one call of its owner
	m     Manifest
	fetch Fetch
	next  int    // chunk to fetch next
	rest  []byte // of the chunk before
	err   error
}

// NewChunkReader verifies m and returns a reader of it. Errors of fetch come back wrapped, with the chunk's hash; wrong bytes
// from it are [ErrCorrupt].
func NewChunkReader(ctx context.Context, m Manifest, fetch Fetch) (*ChunkReader, error) {
	if err := m.Verify(); err != nil {
		return nil, err
	}
	return &ChunkReader{ctx: ctx, m: m, fetch: fetch}, nil
}

// Read implements [io.Reader].
func (r *ChunkReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 && r.err == nil {
		r.rest, r.err = r.chunk()
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// chunk fetches and verifies the next chunk; after the last one it returns io.EOF.
func (r *ChunkReader) chunk() ([]byte, error) {
	if r.next == len(r.m.Chunks) {
		return nil, io.EOF
	}
	h := r.m.Chunks[r.next]
	data, err := r.fetch(r.ctx, h)
	if err != nil {
		return nil, fmt.Errorf("fetch chunk %d of %d, %s: %w", r.next+1, len(r.m.Chunks), h, err)
	}
	want := min(ChunkSize, r.m.Size-int64(r.next)*ChunkSize)
	if int64(len(data)) != want || HashOf(data) != h {
		return nil, fmt.Errorf("fetch chunk %d of %d, %s: %w", r.next+1, len(r.m.Chunks), h, corrupt("other bytes"))
	}
	r.next++
	return data, nil
}
