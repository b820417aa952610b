package source

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"

	"golang.org/x/sync/singleflight"
)

// blockSize is the length of the blocks in which files that lie elsewhere are fetched and cached.
const blockSize = 1 << 20

// remote is a sequence of bytes that lies elsewhere and is fetched in blocks. It is safe for concurrent use.
type remote struct {
	name   string
	size   int64
	block  func(off int64) (i int, from, to int64) // the block that byte off is in
	key    func(i int) Key
	fetch  func(ctx context.Context, i int) ([]byte, error) // a whole block, verified as far as that can be done
	cache  *Cache
	flight singleflight.Group

	mu     sync.Mutex
	recent [8]kept // under mu
	next   int     // place in recent of the next one; under mu
}

// kept is a block in memory.
type kept struct {
	i    int
	data []byte
}

// evenly cuts size bytes into blocks of blockSize.
func evenly(size int64) func(off int64) (i int, from, to int64) {
	return func(off int64) (int, int64, int64) {
		i := off / blockSize
		return int(i), i * blockSize, min((i+1)*blockSize, size)
	}
}

func (r *remote) readAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= r.size {
			return n, io.EOF
		}
		i, from, to := r.block(at)
		data, err := r.get(ctx, i, from, to)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[at-from:])
	}
	return n, nil
}

// get returns a block from memory, from the cache, or from where it lies. Who wants the same at the same time waits for
// the first.
func (r *remote) get(ctx context.Context, i int, from, to int64) ([]byte, error) {
	if data := r.remembered(i); data != nil {
		return data, nil
	}
	v, err, _ := r.flight.Do(strconv.Itoa(i), func() (any, error) {
		data := r.cache.Get(r.key(i))
		if int64(len(data)) != to-from {
			var err error
			if data, err = r.fetch(ctx, i); err != nil {
				return nil, err
			}
			if int64(len(data)) != to-from {
				return nil, fmt.Errorf("%d bytes came, want %d", len(data), to-from)
			}
			r.cache.Put(r.key(i), data)
		}
		r.remember(i, data)
		return data, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: bytes %d to %d: %w", r.name, from, to, err)
	}
	return v.([]byte), nil
}

func (r *remote) remembered(i int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.recent {
		if k.i == i && k.data != nil {
			return k.data
		}
	}
	return nil
}

func (r *remote) remember(i int, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recent[r.next] = kept{i, data}
	r.next = (r.next + 1) % len(r.recent)
}

// section is a file: a part of a remote.
type section struct {
	ctx       context.Context
	of        *remote
	name      string
	from, len int64
	pos       int64
}

func (s *section) Size() int64  { return s.len }
func (s *section) Name() string { return s.name }
func (s *section) Close() error { return nil }

func (s *section) Read(p []byte) (int, error) {
	// As much as the block has: a reader of a stream need not have all it asks for.
	if s.pos < s.len {
		_, _, to := s.of.block(s.from + s.pos)
		p = p[:min(int64(len(p)), to-s.from-s.pos)]
	}
	n, err := s.ReadAt(p, s.pos)
	s.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (s *section) ReadAt(p []byte, off int64) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, err
	}
	if off < 0 || off >= s.len {
		return 0, io.EOF
	}
	short := int64(len(p)) > s.len-off
	n, err := s.of.readAt(s.ctx, p[:min(int64(len(p)), s.len-off)], s.from+off)
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}
