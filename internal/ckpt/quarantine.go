package ckpt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Quarantined describes a chunk that was set aside.
type Quarantined struct {
	Hash   Hash
	Reason string
}

// Quarantine sets chunk h aside: Get does not find it any more, Put stores it anew, its bytes stay for inspection until
// they are collected. A chunk that is not there, or whose bytes are good, is left alone.
func (s *Store) Quarantine(h Hash, reason string) error {
	err := s.lock(context.Background()) // waits for one transaction, or for a Compact
	if err == nil {
		defer s.unlock()
		err = s.update(func(tx *bbolt.Tx) error {
			var data []byte
			err := guard(func() (err error) {
				data, err = load(tx.Bucket(chunksBucket), h)
				return err
			})
			if errors.Is(err, ErrNotFound) || err == nil && HashOf(data) == h {
				return nil
			}
			return quarantine(tx, Quarantined{Hash: h, Reason: reason})
		})
	}
	if err != nil {
		return fmt.Errorf("quarantine chunk %s: %w", h, err)
	}
	return nil
}

// quarantine moves the bucket of a chunk. The pages of the chunk stay where they are and are not read.
func quarantine(tx *bbolt.Tx, q Quarantined) error {
	b, err := enlist(tx, q)
	if err != nil {
		return err
	}
	return tx.Bucket(chunksBucket).MoveBucket(q.Hash[:], b)
}

// enlist makes an entry of the quarantine, without bytes.
func enlist(tx *bbolt.Tx, q Quarantined) (*bbolt.Bucket, error) {
	parent := tx.Bucket(quarantineBucket)
	seq, err := parent.NextSequence()
	if err != nil {
		return nil, err
	}
	b, err := parent.CreateBucket(binary.BigEndian.AppendUint64(nil, seq))
	if err != nil {
		return nil, err
	}
	return b, errors.Join(b.Put(hashKey, q.Hash[:]), b.Put(reasonKey, []byte(q.Reason)))
}

// Quarantined lists what was set aside, oldest first.
func (s *Store) Quarantined(ctx context.Context) ([]Quarantined, error) {
	var list []Quarantined
	err := context.Cause(ctx)
	if err == nil {
		err = s.view(func(tx *bbolt.Tx) error {
			return eachQuarantined(tx, func(_ []byte, q Quarantined) error {
				list = append(list, q)
				return nil
			})
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list quarantined chunks: %w", err)
	}
	return list, nil
}

// eachQuarantined calls f with the key and the description of every entry, oldest first.
func eachQuarantined(tx *bbolt.Tx, f func(key []byte, q Quarantined) error) error {
	parent := tx.Bucket(quarantineBucket)
	return parent.ForEachBucket(func(k []byte) error {
		b := parent.Bucket(k)
		h, err := HashFrom(b.Get(hashKey))
		if err != nil {
			return corrupt("quarantine entry %x: %v", k, err)
		}
		return f(k, Quarantined{Hash: h, Reason: string(b.Get(reasonKey))})
	})
}

// release removes the quarantined chunks that keep refuses. Those with a damaged page stay: their pages cannot be freed
// safely, only left behind by Compact.
func (s *Store) release(ctx context.Context, keep func(Hash) bool) error {
	list, err := s.Quarantined(ctx)
	if err != nil || !slices.ContainsFunc(list, func(q Quarantined) bool { return !keep(q.Hash) }) {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	return s.update(func(tx *bbolt.Tx) error {
		parent := tx.Bucket(quarantineBucket)
		var gone [][]byte
		err := eachQuarantined(tx, func(key []byte, q Quarantined) error {
			if keep(q.Hash) {
				return nil
			}
			_, err := drop(tx, parent.Bucket(key), q.Hash)
			if errors.Is(err, ErrCorrupt) {
				return nil
			}
			if err == nil || errors.Is(err, ErrNotFound) {
				gone = append(gone, slices.Clone(key))
				return nil
			}
			return err
		})
		for _, key := range gone {
			err = errors.Join(err, parent.DeleteBucket(key))
		}
		return err
	})
}
