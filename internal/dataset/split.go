package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// Split is one split of a dataset. It is safe for concurrent use.
type Split struct {
	part    *part
	index   []int32       // record of the part behind each record of the split
	augment *augmentation // of the training split; nil: none
}

// Len returns the number of records.
func (s *Split) Len() int { return len(s.index) }

// Record returns the file that record i of the split came from, and the number of the record there, from 1: the n-th
// data row of a csv file, the n-th element along the first axis of an idx file, the n-th window of a split of a text.
func (s *Split) Record(i int) (file string, record int) { return s.part.place(int(s.index[i])) }

// Batch is a number of records.
type Batch struct {
	N      int
	X      []float32 // N inputs of Info.Shape; empty if Info.Integer
	IDs    []int32   // N inputs of Info.Shape; empty unless Info.Integer
	Y      []float32 // N targets of Info.TargetShape; empty where there are classes
	Labels []int32   // N targets of Info.TargetShape, each a class; empty where there are none

	// Of records that were mixed with others: the class of the smaller part, and the share of the larger one's, which is in
	// Labels. Both are empty unless the augmentation has a mixup.
	Others []int32
	Shares []float32
}

// Read fills dst with the numbered records of the split, in that order, as they are in the given epoch: those of the
// training split augmented. It reuses dst's slices, and allocates nothing once they are large enough.
func (s *Split) Read(dst *Batch, records []int, epoch int) error {
	if err := s.readInputs(dst, records); err != nil {
		return err
	}
	s.augmentInputs(dst, records, epoch)
	if s.augment == nil || s.augment.mixup == nil || len(records) == 0 {
		s.readTargets(dst, records)
		return nil
	}
	w := s.augment.mixup.take()
	defer s.augment.mixup.give(w)
	if err := s.mix(dst, w, records, epoch); err != nil {
		return err
	}
	s.readTargets(dst, records)
	s.mixTargets(dst, w)
	return nil
}

// augmentInputs changes each of the records by itself.
func (s *Split) augmentInputs(dst *Batch, records []int, epoch int) {
	if s.augment == nil {
		return
	}
	width := s.part.width()
	for k, r := range records {
		s.augment.apply(dst.X[k*width:(k+1)*width], epoch, r)
	}
}

// Plain is the split without augmentation, as a model that is finished reads it.
func (s *Split) Plain() *Split { return &Split{part: s.part, index: s.index} }

// Prefetch brings records into memory that Read is soon asked for, with those that they are mixed with.
func (s *Split) Prefetch(records []int, epoch int) {
	a, ok := s.part.records.(interface{ load(i int) })
	if !ok {
		return
	}
	for _, r := range records {
		a.load(int(s.index[r]))
		if s.augment != nil && s.augment.mixup != nil {
			p, _ := s.augment.mixup.partner(s.augment.seed, epoch, r, s.Len())
			a.load(int(s.index[p]))
		}
	}
}

// readInputs fills the inputs before augmentation and, of text, the targets.
func (s *Split) readInputs(dst *Batch, records []int) error {
	n := len(records)
	for _, r := range records {
		if r < 0 || r >= len(s.index) {
			return fmt.Errorf("read record %d of a split of %d", r, len(s.index))
		}
	}
	dst.N, dst.X, dst.IDs, dst.Y, dst.Labels = n, dst.X[:0], dst.IDs[:0], dst.Y[:0], dst.Labels[:0]
	dst.Others, dst.Shares = dst.Others[:0], dst.Shares[:0]
	width := s.part.width()
	if w := s.part.windows; w != nil {
		dst.IDs, dst.Labels = sized(dst.IDs, n*width), sized(dst.Labels, n*width)
		for k, r := range records {
			if err := w.read(dst.IDs[k*width:(k+1)*width], dst.Labels[k*width:(k+1)*width], int(s.index[r])); err != nil {
				return err
			}
		}
		return nil
	}
	if t, ok := s.part.records.(*tableRecords); ok && t.ids != nil {
		dst.IDs = sized(dst.IDs, n*width)
		for k, r := range records {
			if err := t.readIDs(dst.IDs[k*width:(k+1)*width], int(s.index[r])); err != nil {
				return err
			}
		}
		return nil
	}
	dst.X = sized(dst.X, n*width)
	for k, r := range records {
		if err := s.part.numeric.read(dst.X[k*width:(k+1)*width], int(s.index[r])); err != nil {
			return err
		}
	}
	return nil
}

// readTargets fills the targets of numeric records.
func (s *Split) readTargets(dst *Batch, records []int) {
	n := len(records)
	switch t := &s.part.targets; {
	case s.part.windows != nil:
	case t.labels != nil:
		dst.Labels = sized(dst.Labels, n)
		for k, r := range records {
			dst.Labels[k] = t.labels[s.index[r]]
		}
	case t.width == 0:
		dst.Y = append(dst.Y, dst.X...)
	default:
		dst.Y = sized(dst.Y, n*t.width)
		for k, r := range records {
			at := int(s.index[r]) * t.width
			copy(dst.Y[k*t.width:(k+1)*t.width], t.y[at:at+t.width])
		}
	}
}

// sized returns v with n elements, whatever they are.
func sized[T any](v []T, n int) []T { return slices.Grow(v[:0], n)[:n] }

// fits reports how the part differs from the train files' in shape.
func (p *part) fits(train *part) error {
	if p.windows != nil {
		return nil
	}
	path, _ := p.place(0)
	same := p.width() == train.width() && p.numeric.channels() == train.numeric.channels()
	if r, ok := p.records.(formed); ok {
		same = slices.Equal(r.form(), train.records.(formed).form())
	}
	if !same {
		return &RecordError{File: path, Err: fmt.Errorf("records of %s, but the train files have %s", p.shape(), train.shape())}
	}
	if (p.targets.labels == nil) != (train.targets.labels == nil) || p.targets.width != train.targets.width {
		return &RecordError{File: path, Err: fmt.Errorf("its targets are %s, but the train files have %s", p.targets.kind(), train.targets.kind())}
	}
	return nil
}

// formed are records that know their shape.
type formed interface{ form() []int }

func (p *part) shape() string {
	if r, ok := p.records.(formed); ok && len(r.form()) > 1 {
		return product(r.form()) + " elements"
	}
	return fmt.Sprintf("%d inputs", p.width())
}

func (t *targets) kind() string {
	switch {
	case t.labels != nil:
		return "classes"
	case t.width == 0:
		return "the records themselves"
	}
	return fmt.Sprintf("%d numbers", t.width)
}

var splitNames = []string{"train", "val", "test"}

// cut makes the splits: those that have files of their own as they are, the others from the train files.
func (b *builder) cut(seed uint64) error {
	f := b.spec.Split
	for name, s := range b.splits {
		if name != "train" || f == nil {
			s.index = upTo(s.part.len())
		}
	}
	if f != nil {
		if err := b.cutTrain(f, seed); err != nil {
			return err
		}
	}
	for _, name := range splitNames[1:] {
		if b.splits[name] == nil {
			b.splits[name] = &Split{part: b.train}
		}
	}
	for _, name := range splitNames {
		s := b.splits[name]
		if w := s.part.windows; w != nil && s.index != nil && s.Len() == 0 {
			return w.fault(fmt.Errorf("split %s: a sequence of %d and the token after it do not fit into %d tokens", name, w.length, w.tokens))
		}
	}
	if b.splits["train"].Len() == 0 {
		return errors.New("split train: no records are left for training")
	}
	return nil
}

// cutTrain cuts the train files by fractions.
func (b *builder) cutTrain(f *spec.Split, seed uint64) error {
	n, piece := b.train.pieces(seed)
	if f.Stratified {
		if b.train.targets.labels == nil {
			return errors.New("split: stratified needs records of classes")
		}
		piece = b.train.strata(seed, n)
	}
	sum := 0.0
	for _, c := range []struct {
		name     string
		fraction float64
	}{{"train", f.Train}, {"val", f.Val}, {"test", f.Test}} {
		before := sum
		sum += c.fraction
		if split := b.splits[c.name]; c.name == "train" || split == nil && c.fraction > 0 {
			cut := piece(before, sum)
			if c.fraction > 0 && cut.none() {
				return fmt.Errorf("split %s: a fraction of %g of %d records is none", c.name, c.fraction, n)
			}
			b.splits[c.name] = cut
		}
	}
	return nil
}

// none tells whether nothing was cut: a text may have tokens and still no record.
func (s *Split) none() bool {
	if w := s.part.windows; w != nil {
		return w.tokens == 0
	}
	return s.Len() == 0
}

// upToFraction is where a fraction of n things ends.
func upToFraction(n int, fraction float64) int { return min(int(math.Round(float64(n)*fraction)), n) }

// strata cuts the records of each class, in a random order, by the same fractions.
func (p *part) strata(seed uint64, n int) func(from, to float64) *Split {
	order := make([]int, n)
	s := rng.New(seed, rng.SplitOrder, 0, 0, 0)
	s.Perm(order)
	classes := make([][]int, slices.Max(p.targets.labels)+1)
	for _, r := range order {
		c := p.targets.labels[r]
		classes[c] = append(classes[c], r)
	}
	return func(from, to float64) *Split {
		var records []int
		for _, class := range classes {
			records = append(records, class[upToFraction(len(class), from):upToFraction(len(class), to)]...)
		}
		return &Split{part: p, index: inOrder(records)}
	}
}

// pieces returns how many things fractions cut, and what makes a split of those between two fractions: records in a
// random order, or a text's tokens as they follow each other.
func (p *part) pieces(seed uint64) (n int, piece func(from, to float64) *Split) {
	if w := p.windows; w != nil {
		return w.tokens, func(from, to float64) *Split {
			cut := w.cut(upToFraction(w.tokens, from), upToFraction(w.tokens, to))
			return &Split{part: &part{records: cut, windows: cut}, index: upTo(cut.len())}
		}
	}
	order := make([]int, p.len())
	s := rng.New(seed, rng.SplitOrder, 0, 0, 0)
	s.Perm(order)
	return len(order), func(from, to float64) *Split {
		return &Split{part: p, index: inOrder(order[upToFraction(len(order), from):upToFraction(len(order), to)])}
	}
}

func upTo(n int) []int32 {
	index := make([]int32, n)
	for i := range index {
		index[i] = int32(i)
	}
	return index
}

func inOrder(records []int) []int32 {
	index := make([]int32, len(records))
	for i, r := range records {
		index[i] = int32(r)
	}
	slices.Sort(index)
	return index
}
