package ckpt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// maxBatch is how many bytes one transaction takes from the queue, unless a single chunk is larger.
const maxBatch = 32 << 20

// put is a chunk on its way into the file.
type put struct {
	hash Hash
	data []byte
	done chan struct{} // closed when err is set
	err  error
}

// Put stores data and returns its hash when it is durable. A chunk that is there already, and good, is left alone; one
// that is there and bad is quarantined and replaced. Concurrent calls share transactions. It returns [ErrNoSpace] when
// the disk is full up to Options.Reserve. The store does not keep data after the return.
func (s *Store) Put(ctx context.Context, data []byte) (Hash, error) {
	h := HashOf(data)
	if err := s.put(ctx, &put{hash: h, data: data, done: make(chan struct{})}); err != nil {
		return Hash{}, fmt.Errorf("put chunk %s: %w", h, err)
	}
	return h, nil
}

func (s *Store) put(ctx context.Context, p *put) error {
	if len(p.data) > MaxChunk {
		return fmt.Errorf("%d bytes are over the limit of %d", len(p.data), MaxChunk)
	}
	err := context.Cause(ctx)
	if err != nil {
		return err
	}
	err = s.view(func(tx *bbolt.Tx) error { return holds(tx, p) })
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCorrupt) {
		return err
	}
	s.enqueue(p)
	for {
		select {
		case <-p.done:
			return p.err
		case s.writer <- struct{}{}: // Nobody writes: this call does, for all that wait.
			s.writeBatch()
			s.unlock()
		case <-ctx.Done():
			if s.withdraw(p) {
				return context.Cause(ctx)
			}
			<-p.done // The writer has it; its data must not change before the end.
			return p.err
		}
	}
}

// holds returns nil if the store has the bytes of p.
func holds(tx *bbolt.Tx, p *put) error {
	b := tx.Bucket(chunksBucket).Bucket(p.hash[:])
	if b == nil {
		return ErrNotFound
	}
	if data := b.Get(dataKey); data == nil || !bytes.Equal(data, p.data) {
		return corrupt("other bytes")
	}
	return nil
}

func (s *Store) enqueue(p *put) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.queue = append(s.queue, p)
}

// withdraw takes p out of the queue; false means that a writer took it before.
func (s *Store) withdraw(p *put) bool {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	for i, q := range s.queue {
		if q == p {
			s.queue = slices.Delete(s.queue, i, i+1)
			return true
		}
	}
	return false
}

// takeBatch removes the oldest puts from the queue, up to maxBatch bytes.
func (s *Store) takeBatch() []*put {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	n, size := 0, 0
	for n < len(s.queue) && (n == 0 || size+len(s.queue[n].data) <= maxBatch) {
		size += len(s.queue[n].data)
		n++
	}
	batch := slices.Clone(s.queue[:n])
	s.queue = slices.Delete(s.queue, 0, n)
	return batch
}

// writeBatch commits one batch from the queue and tells its puts.
//
// REQUIRES: the caller holds the writer token.
func (s *Store) writeBatch() {
	batch := s.takeBatch()
	if len(batch) == 0 {
		return
	}
	err := s.commit(batch)
	for _, p := range batch {
		p.err = err
		close(p.done)
	}
}

func (s *Store) commit(batch []*put) error {
	size := int64(0)
	for _, p := range batch {
		size += int64(len(p.data))
	}
	if err := s.allocate(size); err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error { return storeAll(tx, batch) })
}

func storeAll(tx *bbolt.Tx, batch []*put) error {
	for _, p := range batch {
		if err := store(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// store puts one chunk into the transaction.
func store(tx *bbolt.Tx, p *put) error {
	err := guard(func() error { return holds(tx, p) })
	if errors.Is(err, ErrCorrupt) {
		err = quarantine(tx, Quarantined{Hash: p.hash, Reason: "replaced: " + err.Error()})
	} else if errors.Is(err, ErrNotFound) {
		err = nil
	} else {
		return err // nil: it came in between, or twice in the batch
	}
	if err != nil {
		return err
	}
	b, err := tx.Bucket(chunksBucket).CreateBucket(p.hash[:])
	if err != nil {
		return err
	}
	return b.Put(dataKey, p.data)
}
