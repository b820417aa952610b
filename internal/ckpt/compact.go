package ckpt

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// Compact writes the good chunks to a new file and puts it in the place of the old one, so that the space of deleted
// and of quarantined chunks is free. It needs free space for the chunks twice meanwhile: [ErrNoSpace] if that would
// break into the reserve. Chunks that turn out to be bad are listed as quarantined; their bytes are gone. Puts wait, reads
// go on. On an error, and after a crash, the old file stays.
func (s *Store) Compact(ctx context.Context) error {
	err := s.lock(ctx)
	if err == nil {
		defer s.unlock()
		err = s.compact(ctx)
	}
	if err != nil {
		return fmt.Errorf("compact chunk store: %w", err)
	}
	return nil
}

// REQUIRES: the caller holds the writer token.
func (s *Store) compact(ctx context.Context) error {
	st, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	if err := checkFree(s.path, st.Bytes, s.reserve); err != nil {
		return err
	}
	path := s.path + compactSuffix
	if err := build(path, func(db *bbolt.DB) error { return s.copyTo(ctx, db) }); err != nil {
		return err
	}
	return s.exchange(path)
}

// copyTo copies every good chunk, and the list of the quarantined, to dst.
func (s *Store) copyTo(ctx context.Context, dst *bbolt.DB) error {
	bad, err := s.Quarantined(ctx)
	if err != nil {
		return err
	}
	hashes, err := s.hashes(ctx)
	if err != nil {
		return err
	}
	b := &batcher{db: dst}
	for _, h := range hashes {
		data, err := s.Get(ctx, h)
		if errors.Is(err, ErrCorrupt) {
			bad = append(bad, Quarantined{Hash: h, Reason: "found while compacting: " + err.Error()})
			continue
		}
		if err == nil {
			err = b.add(data)
		}
		if err != nil {
			return err
		}
	}
	if err := b.flush(); err != nil {
		return err
	}
	return dst.Update(func(tx *bbolt.Tx) error {
		for _, q := range bad {
			if _, err := enlist(tx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

// hashes lists the chunks.
func (s *Store) hashes(ctx context.Context) (list []Hash, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		return eachChunk(ctx, tx, func(h Hash, _ int64) error {
			list = append(list, h)
			return nil
		})
	})
	return list, err
}

// exchange puts the file at path in the place of the store's file and opens it. If that fails the store is closed.
func (s *Store) exchange(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return errors.Join(ErrClosed, removeFile(path))
	}
	db := s.db
	s.db = nil
	if err := errors.Join(os.Rename(path, s.path), syncDir(s.path), db.Close()); err != nil {
		return err
	}
	next, err := openDB(s.path)
	if err != nil {
		return err
	}
	s.db = next
	return nil
}
