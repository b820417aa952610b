package blocks

import (
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// Store is a sequence of records. Records are added by one goroutine, before any other uses the store or its space; then
// they may be read by any number.
type Store struct {
	space  *Space
	size   int         // bytes of a record
	per    int         // records in a block
	from   io.ReaderAt // what its records lie in, one after the other from byte first on; nil: nothing but the store has them
	first  int64
	n      int
	blocks []block // all but the tail
	tail   []byte  // the last records, less than a block
}

// block is a run of records.
type block struct {
	data []byte // nil: not in memory for good
	off  int64  // in what the store is of, or in the space's file
	sum  uint32 // of what lies there
	slot *slot  // the cached copy; under Space.mu
}

// Store returns an empty store for records of size bytes.
func (s *Space) Store(size int) *Store {
	t := &Store{space: s, size: size, per: max(1, blockBytes/size)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stores = append(s.stores, t)
	return t
}

// StoreOf is Store for records that lie in r, one after the other from byte first on. Those that are added have to be the same;
// what is not in memory is read from r.
func (s *Space) StoreOf(r io.ReaderAt, first int64, size int) *Store {
	t := s.Store(size)
	t.from, t.first = r, first
	return t
}

// Free gives the memory of a store back; its place in the file stays taken. It must not be used any more.
func (t *Store) Free() {
	s := t.space
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stores = slices.DeleteFunc(s.stores, func(other *Store) bool { return other == t })
	for i := range t.blocks {
		s.held -= int64(len(t.blocks[i].data))
		s.forget(&t.blocks[i])
	}
	t.blocks, t.tail, t.n = nil, nil, 0
}

// Len returns the number of records.
func (t *Store) Len() int { return t.n }

// Add returns room for the next record, to be filled before the next call.
func (t *Store) Add() ([]byte, error) {
	if len(t.tail) > 0 && len(t.tail) == cap(t.tail) {
		if err := t.space.keep(t); err != nil {
			return nil, err
		}
	}
	if t.tail == nil {
		t.tail = make([]byte, 0, t.per*t.size)
	}
	at := len(t.tail)
	t.tail = t.tail[:at+t.size]
	t.n++
	clear(t.tail[at:])
	return t.tail[at:], nil
}

// View returns record i and those that follow it in its block, not to be changed, and valid until the pin is released.
// One goroutine views one block at a time.
func (t *Store) View(i int) ([]byte, Pin, error) {
	k, at := i/t.per, i%t.per*t.size
	if k == len(t.blocks) {
		return t.tail[at:], Pin{}, nil
	}
	if data := t.blocks[k].data; data != nil {
		return data[at:], Pin{}, nil
	}
	sl, err := t.space.pin(t, k)
	if err != nil {
		return nil, Pin{}, err
	}
	return sl.data[at:], Pin{t.space, sl}, nil
}

// Record is View for record i alone.
func (t *Store) Record(i int) ([]byte, Pin, error) {
	b, pin, err := t.View(i)
	if err != nil {
		return nil, pin, err
	}
	return b[:t.size], pin, nil
}

// Load brings record i into memory, if it is not there.
func (t *Store) Load(i int) error {
	_, pin, err := t.View(i)
	pin.Release()
	return err
}

// Update calls f with every record, in order, to change it. It is for stores that were added to, and not yet read by
// others. One of records that lie elsewhere is not changed.
func (t *Store) Update(f func(i int, record []byte)) error {
	each := func(first int, data []byte) {
		for k := 0; k*t.size < len(data); k++ {
			f(first+k, data[k*t.size:(k+1)*t.size])
		}
	}
	var buf []byte
	for k := range t.blocks {
		b := &t.blocks[k]
		if b.data != nil {
			each(k*t.per, b.data)
			continue
		}
		if buf == nil {
			buf = make([]byte, t.per*t.size)
		}
		if err := t.rewrite(b, buf, func() { each(k*t.per, buf) }); err != nil {
			return err
		}
	}
	each(len(t.blocks)*t.per, t.tail)
	return nil
}

// rewrite changes a block of the file.
func (t *Store) rewrite(b *block, buf []byte, change func()) error {
	t.space.mu.Lock()
	defer t.space.mu.Unlock()
	t.space.forget(b)
	if err := t.read(buf, b); err != nil {
		return err
	}
	change()
	b.sum = crc32.Checksum(buf, castagnoli)
	if _, err := t.space.file.WriteAt(buf, b.off); err != nil {
		return fmt.Errorf("keep records on disk: %w", err)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// put makes sure that block k can be read again. REQUIRES: t.space.mu
func (t *Store) put(k int, data []byte) (b block, err error) {
	b = block{off: t.first + int64(k)*int64(t.per*t.size), sum: crc32.Checksum(data, castagnoli)}
	if t.from == nil {
		b.off, err = t.space.write(data)
	}
	return b, err
}

// read reads a block. REQUIRES: nobody changes b.
func (t *Store) read(dst []byte, b *block) error {
	from := t.from
	if from == nil {
		from = t.space.file
	}
	if err := readFull(from, dst, b.off); err != nil {
		return err
	}
	if b.sum != crc32.Checksum(dst, castagnoli) {
		return fmt.Errorf("the bytes from %d to %d are not what they were: the file was changed, or the disk is at fault", b.off, b.off+int64(len(dst)))
	}
	return nil
}

// length is that of block k in bytes.
func (t *Store) length(k int) int { return min(t.per, t.n-k*t.per) * t.size }
