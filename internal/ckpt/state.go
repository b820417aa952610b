package ckpt

import (
	"errors"
	"fmt"
	"math"
)

// Limits of the format. They keep a hostile header from asking for much.
const (
	maxHeader = 64 << 20 // bytes
	maxList   = 1 << 20  // items of a list
	maxName   = 1 << 10  // bytes
	maxDims   = 16
)

// State is all of a worker's training state between two steps. Identical training gives identical states, in the order
// of their lists too.
//
// Invariants, checked when a state is encoded and when it is decoded:
//
//  1. Names are not empty, at most 1 KiB, and unique within Ints, within Floats and within Tensors.
//  2. The product of a tensor's shape is the length of its data. A shape has at most 16 dimensions.
//  3. A list has at most 2^20 items, and everything but the tensors' data takes at most 64 MiB.
type State struct {
	Step, Epoch uint64
	SpecHash    [32]byte // SHA-256 of the job spec that the state belongs to
	LedgerHead  [32]byte // hash of the newest record of the step ledger
	Scales      []int32  // exponents of the fixed-point scales
	Ints        []Int    // small counters, such as a plateau's patience
	Floats      []Float  // small values, such as the best loss so far
	Aux         []byte   // opaque to this package
	Tensors     []Tensor // parameters, optimizer slots, moving statistics
	Dataset     []byte   // opaque to this package: what was settled about the data, for whoever uses the model
}

// Int is a named integer of a state.
type Int struct {
	Name  string
	Value int64
}

// Float is a named number of a state. Its bits are kept.
type Float struct {
	Name  string
	Value float64
}

// Tensor is a named array of a state, row-major. A scalar has no dimensions and one element. The bits are kept.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// check returns what breaks the invariants of s.
func (s *State) check() error {
	if err := uniqueNames(len(s.Ints), func(i int) string { return s.Ints[i].Name }); err != nil {
		return fmt.Errorf("ints: %w", err)
	}
	if err := uniqueNames(len(s.Floats), func(i int) string { return s.Floats[i].Name }); err != nil {
		return fmt.Errorf("floats: %w", err)
	}
	if err := uniqueNames(len(s.Tensors), func(i int) string { return s.Tensors[i].Name }); err != nil {
		return fmt.Errorf("tensors: %w", err)
	}
	if len(s.Scales) > maxList {
		return fmt.Errorf("%d scales are over the limit of %d", len(s.Scales), maxList)
	}
	for i := range s.Tensors {
		t := &s.Tensors[i]
		if n, err := elements(t.Shape); err != nil || n != int64(len(t.Data)) {
			return fmt.Errorf("tensor %q: shape %v does not fit %d values", t.Name, t.Shape, len(t.Data))
		}
	}
	return nil
}

func uniqueNames(n int, name func(int) string) error {
	if n > maxList {
		return fmt.Errorf("%d items are over the limit of %d", n, maxList)
	}
	seen := make(map[string]bool, n)
	for i := range n {
		switch s := name(i); {
		case s == "":
			return errors.New("empty name")
		case len(s) > maxName:
			return fmt.Errorf("name of %d bytes is over the limit of %d", len(s), maxName)
		case seen[s]:
			return fmt.Errorf("two are named %q", s)
		default:
			seen[s] = true
		}
	}
	return nil
}

// elements returns the product of shape. An error means a negative dimension, too many of them, or a product that does
// not fit in an int64 as bytes.
func elements(shape []int) (int64, error) {
	if len(shape) > maxDims {
		return 0, fmt.Errorf("%d dimensions are over the limit of %d", len(shape), maxDims)
	}
	const limit = math.MaxInt64 / 16
	n := int64(1)
	for _, d := range shape {
		if d < 0 || d > 0 && n > limit/int64(d) {
			return 0, fmt.Errorf("shape %v is out of range", shape)
		}
		n *= int64(d)
	}
	return n, nil
}
