// Package blocks keeps records of a fixed size, in memory as long as all of them fit under a bound, and otherwise where they can be
// read again, with a bounded cache of those in use.
//
//	store:  | record record record ... | record record record ... | ... | record ...
//	          block of about 64 KiB      block                          tail, always in memory
//
// A [Space] bounds the memory of all the stores of a dataset together. Once they outgrow it, records that lie one after the other
// in a file anyway are read from there, and all others go to one file without a name, which is gone with the process. Blocks
// outside memory have a checksum: what changes there while it is in use is an error, and never other data.
package blocks

import (
	"errors"
	"fmt"
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
	file   *os.File    // nil: none yet
	end    int64       // of the file
	kept   []io.Closer // that stores read from
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

// Keep closes c when the space is closed.
func (s *Space) Keep(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, c)
}

// Close closes what was kept, and frees the file. Nothing may be read afterwards.
func (s *Space) Close() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.kept {
		err = errors.Join(err, c.Close())
	}
	s.kept = nil
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
		s.file = nil
	}
	return err
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
	b, err := t.put(len(t.blocks), t.tail)
	if err != nil {
		return err
	}
	t.blocks = append(t.blocks, b)
	t.tail = t.tail[:0]
	return nil
}

// spill empties the memory.
func (s *Space) spill() error {
	if s.onDisk {
		return nil
	}
	s.onDisk = true
	for _, t := range s.stores {
		for i := range t.blocks {
			if t.blocks[i].data == nil {
				continue
			}
			b, err := t.put(i, t.blocks[i].data)
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

// write puts data at the end of the file.
func (s *Space) write(data []byte) (off int64, err error) {
	if s.file == nil {
		if err := s.create(); err != nil {
			return 0, err
		}
	}
	if _, err := s.file.WriteAt(data, s.end); err != nil {
		return 0, fmt.Errorf("keep records on disk: %w", err)
	}
	off, s.end = s.end, s.end+int64(len(data))
	return off, nil
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
