package dataset

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"lockstep/internal/dataset/blocks"
	"lockstep/internal/source"
)

// The limits on what files may make us hold. They are far above what real data sets need.
type limits struct {
	total  int64 // bytes of all decoded records
	record int64 // bytes of one record, as read and as decoded
	values int   // different values of a category, and columns

	space *blocks.Space // bounds what is held in memory; nil: memory holds all
}

// store is an empty one for records of size bytes.
func (l *limits) store(size int) *blocks.Store {
	if l.space == nil {
		return blocks.New(0, "").Store(size)
	}
	return l.space.Store(size)
}

// close closes a file of arrays, or leaves that to the space, whose records may be read from it.
func (l *limits) close(c io.Closer) {
	if l.space == nil {
		c.Close()
		return
	}
	l.space.Keep(c)
}

// release gives bytes back that were reserved.
func (l *limits) release(n int) {
	if l.space != nil {
		l.space.Release(int64(n))
	}
}

var defaultLimits = limits{total: 32 << 30, record: 256 << 20, values: 1 << 16}

var errTruncated = errors.New("truncated gzip stream")

// file is an open data file, decompressed.
type file struct {
	*bufio.Reader
	path string
	f    io.Closer
	at   io.ReaderAt // what Reader reads; nil: it is compressed
}

// openFile opens a file of the tree.
func openFile(ctx context.Context, tree source.Tree, name string) (*file, error) {
	f, err := tree.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	opened, err := newFile(f.Name(), f, f)
	if err != nil {
		f.Close()
	}
	return opened, err
}

func newFile(path string, r io.Reader, c io.Closer) (*file, error) {
	plain, err := decompress(r)
	f := &file{Reader: bufio.NewReaderSize(plain, 1<<16), path: path, f: c}
	if err != nil {
		return nil, f.fault(err)
	}
	if _, zipped := plain.(*gzipReader); !zipped {
		f.at, _ = r.(io.ReaderAt)
	}
	return f, nil
}

func (f *file) Close() error { return f.f.Close() }

// skipMark leaves out a byte-order mark.
func skipMark(f *file) {
	if b, err := f.Peek(3); err == nil && string(b) == "\ufeff" {
		f.Discard(len(b))
	}
}

// fault puts the file's name to an error that has no place in the file.
func (f *file) fault(err error) error { return &RecordError{File: f.path, Err: err} }

// decompress looks for gzip's magic number.
func decompress(r io.Reader) (io.Reader, error) {
	in := &counter{r: r}
	b := bufio.NewReaderSize(in, 1<<16)
	if magic, err := b.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		if err == io.EOF {
			err = nil // shorter than two bytes: for the format to judge
		}
		return b, err
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, gzipError(err)
	}
	return &gzipReader{z: z, in: in}, nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// gzipReader reads a compressed stream, unless it is a bomb.
type gzipReader struct {
	z   *gzip.Reader
	in  *counter // what was read of the compressed stream
	out int64    // bytes that it became
}

func (g *gzipReader) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	if g.out += int64(n); g.out > bombBytes && g.out/bombRatio > g.in.n {
		return 0, fmt.Errorf("%d bytes became more than %d: this looks like a gzip bomb", g.in.n, g.out)
	}
	return n, gzipError(err)
}

func gzipError(err error) error {
	if err == io.ErrUnexpectedEOF {
		return errTruncated
	}
	return err
}
