package manifest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ownChunk is the size from which on a file begins a chunk.
const ownChunk = ChunkSize / 4

// Cut reads files, in the order of their names, cuts their bytes into chunks and gives each chunk, with its number, to
// f, which must not keep it. A file's bytes come from open.
func Cut(names []string, open func(name string) (io.ReadCloser, error), f func(i int, chunk []byte) error) (*Manifest, error) {
	if !slices.IsSorted(names) {
		return nil, errors.New("cut dataset: names are not sorted")
	}
	c := cutter{buf: make([]byte, 0, ChunkSize), out: f}
	for _, name := range names {
		if !ValidName(name) {
			return nil, fmt.Errorf("file %q: its name cannot be used", name)
		}
		if err := c.file(name, open); err != nil {
			return nil, err
		}
	}
	if err := c.flush(); err != nil {
		return nil, err
	}
	if len(c.m.Files) == 0 {
		return nil, errors.New("no files")
	}
	if b, _ := c.m.Encode(); len(b) > MaxEncoded {
		return nil, fmt.Errorf("%d files and %d chunks are too many: their list takes %d bytes, over the limit of %d", len(c.m.Files), len(c.m.Chunks), len(b), MaxEncoded)
	}
	return &c.m, nil
}

// cutter collects bytes until they are a chunk.
type cutter struct {
	m    Manifest
	buf  []byte
	from int // where the present file begins in buf
	out  func(i int, chunk []byte) error
}

func (c *cutter) file(name string, open func(string) (io.ReadCloser, error)) error {
	r, err := open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	size := int64(0)
	c.from = len(c.buf)
	for {
		n, err := r.Read(c.buf[len(c.buf):cap(c.buf)])
		size += int64(n)
		c.buf = c.buf[:len(c.buf)+n]
		if err := c.cut(); err != nil {
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	c.m.Files = append(c.m.Files, File{Name: name, Size: size})
	return nil
}

// cut makes chunks of what is there: before a file as soon as that turns out to be large, and when the buffer is full.
func (c *cutter) cut() error {
	if c.from > 0 && len(c.buf)-c.from >= ownChunk {
		rest := slices.Clone(c.buf[c.from:])
		c.buf = c.buf[:c.from]
		if err := c.flush(); err != nil {
			return err
		}
		c.buf = append(c.buf, rest...)
	}
	if len(c.buf) == cap(c.buf) {
		return c.flush()
	}
	return nil
}

func (c *cutter) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	c.m.Chunks = append(c.m.Chunks, Chunk{Size: len(c.buf), Hash: sha256.Sum256(c.buf)})
	err := c.out(len(c.m.Chunks)-1, c.buf)
	c.buf, c.from = c.buf[:0], 0
	return err
}
