package ckpt

import (
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"
)

// Names of files beside the store's.
const (
	compactSuffix = ".compact" // being written by Compact
	salvageSuffix = ".salvage" // being written by Open
	damagedSuffix = ".damaged" // what Open found, kept for inspection
)

// salvage replaces the file at path, whose index is damaged, by one with every chunk that is found in its pages. A chunk
// is named by its bytes, so that no index is needed. It returns how many chunks there are. The damaged file is kept.
func salvage(path string) (chunks int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	err = build(path+salvageSuffix, func(db *bbolt.DB) error {
		b := &batcher{db: db}
		if err := scan(f, info.Size(), b.add); err != nil {
			return err
		}
		chunks = b.count
		return b.flush()
	})
	if err != nil {
		return 0, err
	}
	damaged := path + damagedSuffix
	if err := errors.Join(removeFile(damaged), os.Link(path, damaged)); err != nil {
		return 0, err
	}
	return chunks, errors.Join(os.Rename(path+salvageSuffix, path), syncDir(path))
}

// batcher puts chunks into a file, many in a transaction.
type batcher struct {
	db    *bbolt.DB
	batch []*put
	size  int
	count int
}

func (b *batcher) add(data []byte) error {
	b.batch = append(b.batch, &put{hash: HashOf(data), data: data})
	b.size += len(data)
	b.count++
	if b.size < maxBatch {
		return nil
	}
	return b.flush()
}

func (b *batcher) flush() error {
	err := b.db.Update(func(tx *bbolt.Tx) error { return storeAll(tx, b.batch) })
	b.batch, b.size = nil, 0
	return err
}

// scan calls f with the bytes of every chunk in the pages of r, which has size bytes. Deleted chunks that were not
// overwritten are among them, and damaged ones, under names that nobody asks for: Collect removes both.
func scan(r io.ReaderAt, size int64, f func(data []byte) error) error {
	p := make(page, pageSize)
	for off := int64(0); off+pageSize <= size; off += pageSize {
		if _, err := r.ReadAt(p, off); err != nil {
			return fmt.Errorf("scan page at %d: %w", off, err)
		}
		if p.id() != uint64(off/pageSize) {
			continue
		}
		if err := scanLeaf(p, io.NewSectionReader(r, off, size-off), f); err != nil {
			return fmt.Errorf("scan page at %d: %w", off, err)
		}
	}
	return nil
}

// scanLeaf calls f for the chunk in p, if it is the leaf of one, and for the chunks inside it if they are inline. r has
// all of the page, and perhaps more.
func scanLeaf(p page, r *io.SectionReader, f func(data []byte) error) error {
	if p.kind() != leafPage {
		return nil
	}
	for i := range p.count() {
		e, ok := p.leaf(i)
		if !ok {
			continue
		}
		if !e.bucket && e.key == string(dataKey) && e.end() <= r.Size() {
			data := make([]byte, e.size)
			if _, err := r.ReadAt(data, e.value); err != nil && err != io.EOF {
				return err
			}
			if err := f(data); err != nil {
				return err
			}
		}
		if root, inline, ok := p.bucketOf(e); ok && root == 0 {
			at := e.value + bucketHeader
			if err := scanLeaf(inline, io.NewSectionReader(r, at, int64(len(inline))), f); err != nil {
				return err
			}
		}
	}
	return nil
}
