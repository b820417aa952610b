// Package blocks keeps records of a fixed size, in memory as long as all of them fit under a bound, and otherwise in a file
// with a bounded cache of those in use.
//
//	store:  | record record record ... | record record record ... | ... | record ...
//	          block of about 64 KiB      block                          tail, always in memory
//
// A [Space] bounds the memory of all the stores of a dataset together. Once they outgrow it, everything goes to one file
// without a name, which is gone with the process. Blocks on disk have a checksum: what changes there while it is in use is an error, and never other data.
package blocks

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
)

// blockBytes is the size of a block, unless a record is longer: well below a shard's, so that reading a shard reads
// little beside it.
const blockBytes = 64 << 10

// Space is the memory, and the file, of several stores.
//
// Invariants:
//
//  1. What is held in memory, tails left out, is at most the bound, or one block if that is more.
//  2. Either all blocks of stores that were added to are in memory, or none is, but for cached ones.
type Space struct {
	bound int64
	dir   string

	mu     sync.Mutex
	freed  sync.Cond // a block was loaded, or is not in use any more
	stores []*Store
	held   int64 // bytes of blocks in memory, cached ones included
	onDisk bool
	file   *os.File // nil: none yet
	end    int64    // of the file
	slots  []*slot
	hand   int // where the next search for a slot begins
}

// New returns an empty space that holds up to bound bytes in memory; 0 is without a bound. Its file is made in dir, ""
// being the system's folder for temporary files.
func New(bound int64, dir string) *Space {
	s := &Space{bound: bound, dir: dir}
	s.freed.L = &s.mu
	return s
}

// Reserve takes n bytes of the bound for memory that is held elsewhere, if they are left.
func (s *Space) Reserve(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.fits(n) {
		return false
	}
	s.held += n
	return true
}

// Release gives n reserved bytes back.
func (s *Space) Release(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held -= n
}

func (s *Space) fits(n int64) bool { return !s.onDisk && (s.bound <= 0 || s.held+n <= s.bound) }

// InMemory reports whether reading never has to wait for a file.
func (s *Space) InMemory() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.onDisk
}

// Close frees the file. Nothing may be read afterwards.
func (s *Space) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// keep takes the full tail of a store.
func (s *Space) keep(t *Store) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(len(t.tail))
	if s.fits(n) {
		t.blocks = append(t.blocks, block{data: t.tail})
		s.held += n
		t.tail = nil
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	b, err := s.write(t.tail)
	if err != nil {
		return err
	}
	t.blocks = append(t.blocks, b)
	t.tail = t.tail[:0]
	return nil
}

// spill moves all that is in memory to the file.
func (s *Space) spill() error {
	if s.onDisk && s.file != nil {
		return nil
	}
	s.onDisk = true
	if err := s.create(); err != nil {
		return err
	}
	for _, t := range s.stores {
		for i := range t.blocks {
			if t.blocks[i].data == nil {
				continue
			}
			b, err := s.write(t.blocks[i].data)
			if err != nil {
				return err
			}
			s.held -= int64(len(t.blocks[i].data))
			t.blocks[i] = b
		}
	}
	return nil
}

// create makes the file, and takes its name away: whatever ends the process, nothing is left.
func (s *Space) create() error {
	if s.dir != "" {
		if err := os.MkdirAll(s.dir, 0o755); err != nil {
			return fmt.Errorf("keep records on disk: %w", err)
		}
	}
	f, err := os.CreateTemp(s.dir, "records-*")
	if err != nil {
		return fmt.Errorf("keep records on disk: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("keep records on disk: %w", errors.Join(err, f.Close()))
	}
	s.file = f
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// write puts a block at the end of the file.
func (s *Space) write(data []byte) (block, error) {
	b := block{off: s.end, sum: crc32.Checksum(data, castagnoli)}
	if _, err := s.file.WriteAt(data, b.off); err != nil {
		return block{}, fmt.Errorf("keep records on disk: %w", err)
	}
	s.end += int64(len(data))
	return b, nil
}

// readFull reads all of dst.
func readFull(r io.ReaderAt, dst []byte, off int64) error {
	n, err := r.ReadAt(dst, off)
	switch {
	case n == len(dst):
		return nil
	case err == io.EOF:
		return fmt.Errorf("the data ends at byte %d, it was longer before", off+int64(n))
	}
	return err
}
