package ckpt

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"go.etcd.io/bbolt"
)

// spaceError adds ErrNoSpace to the operating system's errors for a full disk and for a spent quota. bbolt flattens some
// of them to text only where it cannot extend the file, which reserves no space.
func spaceError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}

// slack is how many bytes every Put leaves in the file, free and on disk: a full disk must not keep a chunk from being
// deleted, for which bbolt first writes new pages.
const slack = 256 << 10

// allocate takes the space for size bytes of chunks from the disk, before bbolt begins to write. It returns ErrNoSpace if
// there is not enough, or if less than the reserve would be left. Space inside the file that deleted chunks left is used
// first.
func (s *Store) allocate(size int64) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	grow := size + slack - freeInside(s.db)
	if grow <= 0 {
		return nil
	}
	if s.reserve > 0 {
		if err := checkFree(s.path, grow, s.reserve); err != nil {
			return err
		}
	}
	var end int64
	if err := s.db.View(func(tx *bbolt.Tx) error { end = tx.Size(); return nil }); err != nil {
		return err
	}
	return spaceError(preallocate(s.path, end, grow))
}

// checkFree returns ErrNoSpace if need more bytes would leave less than reserve on the file system of path.
func checkFree(path string, need, reserve int64) error {
	free, err := freeSpace(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("free space of %s: %w", filepath.Dir(path), err)
	}
	if free-need < reserve {
		return fmt.Errorf("%w: %d bytes more would leave %d of %d reserved", ErrNoSpace, need, max(0, free-need), reserve)
	}
	return nil
}

// freeInside returns how many bytes of the file later chunks can use. Those of the last transaction are pending until the
// next one begins.
func freeInside(db *bbolt.DB) int64 {
	st := db.Stats()
	return int64(st.FreePageN+st.PendingPageN) * pageSize
}
