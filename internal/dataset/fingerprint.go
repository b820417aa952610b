package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// fingerprintLeaf is the number of records that are hashed together; it is part of every fingerprint.
const fingerprintLeaf = 1024

// fingerprint hashes the dataset as a tree of SHA-256:
//
//	leaf  records of at most 1024 records: for each its inputs, then its labels or its target's numbers
//	root  "lockstep dataset 1\n", inputs a record, kind of target, numbers a target, number of classes,
//	      each class name with its length before it, and for train, val and test: number of records, leaves
//
// The kinds of target are 0 for a label, 1 for the record itself, 2 for numbers, 3 for a label for each input. Numbers
// are float32, token ids and labels int32, counts 64 bits, all little-endian. The shape of a record is not part of it, so
// that a table and an image of the same numbers agree. Numbers that are not finite after preprocessing are an error.
func (d *Dataset) fingerprint(ctx context.Context) (sum [32]byte, err error) {
	h := sha256.New()
	h.Write([]byte("lockstep dataset 1\n"))
	count := func(n int) { binary.Write(h, binary.LittleEndian, uint64(n)) }
	p := d.splits["train"].part
	count(p.width())
	switch {
	case p.windows != nil:
		count(3)
	case p.targets.labels != nil:
		count(0)
	case p.targets.width == 0:
		count(1)
	default:
		count(2)
	}
	count(p.targets.width)
	count(len(d.info.Classes))
	for _, c := range d.info.Classes {
		count(len(c))
		h.Write([]byte(c))
	}
	for _, name := range splitNames {
		s := d.splits[name]
		count(s.Len())
		if err := s.hashLeaves(ctx, h); err != nil {
			return sum, err
		}
	}
	h.Sum(sum[:0])
	return sum, nil
}

// hashLeaves adds the leaves' hashes to h.
func (s *Split) hashLeaves(ctx context.Context, h hash.Hash) error {
	leaves := make([][32]byte, (s.Len()+fingerprintLeaf-1)/fingerprintLeaf)
	workers := min(runtime.GOMAXPROCS(0), len(leaves))
	g, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		g.Go(func() error {
			var batch Batch
			var b []byte
			for k := w; k < len(leaves); k += workers {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				leaf := sha256.New()
				for i := k * fingerprintLeaf; i < min((k+1)*fingerprintLeaf, s.Len()); i++ {
					if err := s.readInputs(&batch, []int{i}); err != nil {
						return err
					}
					s.readTargets(&batch, []int{i})
					var err error
					if b, err = s.encode(b[:0], &batch, i); err != nil {
						return err
					}
					leaf.Write(b)
				}
				leaf.Sum(leaves[k][:0])
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, leaf := range leaves {
		h.Write(leaf[:])
	}
	return nil
}

// encode appends one record.
func (s *Split) encode(b []byte, r *Batch, i int) ([]byte, error) {
	for j, x := range r.X {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			file, record := s.Record(i)
			return nil, &RecordError{File: file, Record: record, Err: fmt.Errorf("preprocessing makes input %d %v", j, x)}
		}
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	for _, id := range r.IDs {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	for _, l := range r.Labels {
		b = binary.LittleEndian.AppendUint32(b, uint32(l))
	}
	if s.part.targets.width > 0 {
		for _, y := range r.Y {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(y))
		}
	}
	return b, nil
}
