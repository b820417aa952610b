package ckpt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"go.etcd.io/bbolt"
)

// MaxChunk is the largest chunk that a store takes, in bytes.
const MaxChunk = 16 << 20

// The buckets of the file. A chunk is a bucket of its own, so that writing or deleting one does not rewrite its
// neighbours' bytes, and a damaged one can be set aside without touching its pages.
//
//	chunks/<hash>/d           = bytes
//	quarantine/<seq u64 be>/h = hash
//	                       /r = reason
//	                       /<hash>/d = bytes, as far as they can be read
var (
	chunksBucket     = []byte("chunks")
	quarantineBucket = []byte("quarantine")
	dataKey          = []byte("d")
	hashKey          = []byte("h")
	reasonKey        = []byte("r")
)

// Options of a store. The zero value is valid.
type Options struct {
	// Reserve is the free space, in bytes, that Put leaves on the file system. Default 0: until it is full.
	Reserve int64
	// Log is told what Open had to salvage. Default: discarded.
	Log *slog.Logger
}

// Store keeps chunks in one bbolt file. It is safe for concurrent use; the file is locked against other processes.
//
// Invariants:
//
//  1. A Put that returned no error is durable: the chunk survives a crash of the process and of the machine.
//  2. Get returns the bytes whose hash was asked for, or an error.
//  3. An error leaves the store as it was before the call, apart from Collect, which works in parts.
type Store struct {
	path    string
	reserve int64
	writer  chan struct{} // holds one token while somebody writes

	mu sync.RWMutex // held for writing while db is closed or exchanged
	db *bbolt.DB    // nil once closed

	queueMu sync.Mutex
	queue   []*put // waiting for the writer, oldest first
}

// Open opens the store in the file at path and creates it if it is missing. The directory must exist. If the index in
// the file is damaged, Open moves every chunk that can be found into a new file and keeps the old one beside it, as
// path.damaged; chunks that could not be found are missing then.
func Open(path string, opts Options) (*Store, error) {
	db, err := openDB(path)
	if errors.Is(err, ErrCorrupt) {
		db, err = mend(path, opts.Log, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open chunk store: %w", err)
	}
	// What a crash left. The lock on the file is held by now, so that nobody is writing them.
	if err := errors.Join(removeFile(path+compactSuffix), removeFile(path+salvageSuffix)); err != nil {
		return nil, fmt.Errorf("open chunk store: %w", errors.Join(err, db.Close()))
	}
	return &Store{path: path, reserve: opts.Reserve, db: db, writer: make(chan struct{}, 1)}, nil
}

// mend salvages the file at path, which has the given damage, and opens the result.
func mend(path string, log *slog.Logger, damage error) (*bbolt.DB, error) {
	n, err := salvage(path)
	if err != nil {
		return nil, fmt.Errorf("%w; salvage: %w", damage, err)
	}
	if log != nil {
		log.Warn("chunk store was damaged and is built anew", "file", path, "damage", damage, "chunks", n,
			"kept", path+damagedSuffix)
	}
	return openDB(path)
}

// Close waits for the calls under way and closes the file. Later calls get [ErrClosed]; closing again does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	if err := db.Close(); err != nil {
		return fmt.Errorf("close chunk store: %w", err)
	}
	return nil
}

// view runs f in a read transaction. Damage that makes bbolt panic, or a fault in the mapped file, gives ErrCorrupt.
func (s *Store) view(f func(tx *bbolt.Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	return s.db.View(func(tx *bbolt.Tx) error { return guard(func() error { return f(tx) }) })
}

// update runs f in a write transaction.
//
// REQUIRES: the caller holds the writer token.
func (s *Store) update(f func(tx *bbolt.Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	// The guard is inside the transaction: bbolt's own clean-up after a panic would read the damaged pages again.
	return spaceError(s.db.Update(func(tx *bbolt.Tx) error { return guard(func() error { return f(tx) }) }))
}

// lock takes the writer token, or returns the cause of ctx.
func (s *Store) lock(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Store) unlock() { <-s.writer }
