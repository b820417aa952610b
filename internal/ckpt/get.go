package ckpt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// Get returns the bytes of chunk h, verified and the caller's own. It returns [ErrNotFound] or [ErrCorrupt], wrapped.
func (s *Store) Get(ctx context.Context, h Hash) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("get chunk %s: %w", h, err)
	}
	var data []byte
	err := s.view(func(tx *bbolt.Tx) (err error) {
		data, err = load(tx.Bucket(chunksBucket), h)
		return err
	})
	if err == nil && HashOf(data) != h {
		err = corrupt("hash of its %d bytes is %s", len(data), HashOf(data))
	}
	if err != nil {
		return nil, fmt.Errorf("get chunk %s: %w", h, err)
	}
	return data, nil
}

// Has returns whether the store has chunk h, good or bad: only Get reads it. A store that is closed, or whose index is
// damaged there, has nothing.
func (s *Store) Has(h Hash) bool {
	has := false
	err := s.view(func(tx *bbolt.Tx) error {
		has = tx.Bucket(chunksBucket).Bucket(h[:]) != nil
		return nil
	})
	return err == nil && has
}

// Stats describes a store.
type Stats struct {
	Chunks      int   // in the store, without the quarantined
	Bytes       int64 // of these chunks
	Quarantined int
	FileBytes   int64 // length of the file
	FreeBytes   int64 // of the file, that later chunks can use
}

// Stats walks over all chunks, without reading their bytes.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	var st Stats
	err := s.view(func(tx *bbolt.Tx) error {
		err := eachChunk(ctx, tx, func(_ Hash, size int64) error {
			st.Chunks++
			st.Bytes += size
			return nil
		})
		if err != nil {
			return err
		}
		st.FileBytes = tx.Size()
		st.FreeBytes = freeInside(tx.DB())
		return eachQuarantined(tx, func([]byte, Quarantined) error {
			st.Quarantined++
			return nil
		})
	})
	if err != nil {
		return Stats{}, fmt.Errorf("stats of chunk store: %w", err)
	}
	return st, nil
}

// eachChunk calls f for every chunk in the order of the hashes. A chunk whose own page is damaged has size 0.
func eachChunk(ctx context.Context, tx *bbolt.Tx, f func(h Hash, size int64) error) error {
	chunks := tx.Bucket(chunksBucket)
	return chunks.ForEachBucket(func(k []byte) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if len(k) != len(Hash{}) {
			return corrupt("key of %d bytes", len(k))
		}
		var size int64
		_ = guard(func() error { // What is wrong with this chunk is for Get to say.
			size = int64(len(chunks.Bucket(k).Get(dataKey)))
			return nil
		})
		return f(Hash(k), size)
	})
}
