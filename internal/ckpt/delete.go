package ckpt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// deleteBatch is how many chunks one transaction deletes: few enough that Puts do not wait for long.
const deleteBatch = 256

// Delete removes chunk h. That it is not there is no error.
func (s *Store) Delete(ctx context.Context, h Hash) error {
	if _, _, err := s.remove(ctx, []Hash{h}, func(Hash) bool { return false }); err != nil {
		return fmt.Errorf("delete chunk %s: %w", h, err)
	}
	return nil
}

// Collect removes every chunk that keep refuses, quarantined ones too, and returns how many chunks and bytes it removed.
// keep is asked again just before the removal; it must accept what is being uploaded. When ctx ends it stops with what
// was done so far. The file does not shrink: see Compact.
func (s *Store) Collect(ctx context.Context, keep func(Hash) bool) (n int, bytes int64, err error) {
	garbage, err := s.hashes(ctx)
	garbage = slices.DeleteFunc(garbage, keep)
	for len(garbage) > 0 && err == nil {
		k := min(deleteBatch, len(garbage))
		var n1 int
		var bytes1 int64
		n1, bytes1, err = s.remove(ctx, garbage[:k], keep)
		n, bytes, garbage = n+n1, bytes+bytes1, garbage[k:]
	}
	if err == nil {
		err = s.release(ctx, keep)
	}
	if err != nil {
		return n, bytes, fmt.Errorf("collect chunks: %w", err)
	}
	return n, bytes, nil
}

// remove deletes those of hs that keep refuses, in one transaction.
func (s *Store) remove(ctx context.Context, hs []Hash, keep func(Hash) bool) (n int, bytes int64, err error) {
	if err := s.lock(ctx); err != nil {
		return 0, 0, err
	}
	defer s.unlock()
	err = s.update(func(tx *bbolt.Tx) error {
		chunks := tx.Bucket(chunksBucket)
		for _, h := range hs {
			if keep(h) {
				continue
			}
			size, err := drop(tx, chunks, h)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if errors.Is(err, ErrCorrupt) {
				err = quarantine(tx, Quarantined{Hash: h, Reason: "deleted: " + err.Error()})
			}
			if err != nil {
				return err
			}
			n++
			bytes += size
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	return n, bytes, nil
}

// drop frees chunk h of parent and returns its size. A chunk whose page is not as it was written is not touched, since
// bbolt would free other pages than those that the chunk has: ErrCorrupt.
func drop(tx *bbolt.Tx, parent *bbolt.Bucket, h Hash) (size int64, err error) {
	err = guard(func() error {
		b := parent.Bucket(h[:])
		if b == nil {
			return ErrNotFound
		}
		size = int64(len(b.Get(dataKey)))
		return sound(tx, b, size)
	})
	if err != nil {
		return 0, err
	}
	return size, parent.DeleteBucket(h[:])
}

// sound checks the page of a chunk's bucket b, which holds size bytes, against what bbolt writes for it: one leaf with
// one element, and as many pages as that needs.
func sound(tx *bbolt.Tx, b *bbolt.Bucket, size int64) error {
	if b.Root() == 0 {
		return nil // inline: it has no page of its own
	}
	page, err := tx.Page(int(b.Root()))
	if err != nil {
		return err
	}
	pages := chunkCount(pageHeader+elementSize+int64(len(dataKey))+size, pageSize)
	if page == nil || page.Type != "leaf" || page.Count != 1 || int64(page.OverflowCount) != pages-1 {
		return corrupt("page %d is damaged", b.Root())
	}
	return nil
}
