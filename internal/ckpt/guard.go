package ckpt

import (
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// guard runs f, which reads the mapped file through bbolt. bbolt trusts its pages: a damaged one makes it panic or read
// outside the file. Both become ErrCorrupt here, so that one bad page does not end the process.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = corrupt("unreadable page: %v", r)
		}
	}()
	return f()
}

// load copies the bytes of chunk h out of the parent bucket. They are not verified.
func load(parent *bbolt.Bucket, h Hash) ([]byte, error) {
	b := parent.Bucket(h[:])
	if b == nil {
		return nil, ErrNotFound
	}
	data := b.Get(dataKey)
	if data == nil {
		return nil, corrupt("no bytes")
	}
	if len(data) > MaxChunk {
		return nil, corrupt("%d bytes are over the limit of %d", len(data), MaxChunk)
	}
	return append(make([]byte, 0, len(data)), data...), nil
}
