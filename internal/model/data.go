package model

import (
	"fmt"
	"slices"
)

// Data is what a dataset says of one record.
type Data struct {
	Shape       []int // of the input
	Integer     bool  // the input is token ids, not floats
	Vocab       int   // ids are below it
	TargetShape []int // [] for a scalar or one label, [time] for a label a step, [d] for a vector
	Classes     int   // > 0: the target is integer labels below it
}

// Batch is N records. Their input is in X or, for token ids, in IDs; their target in Y or, for labels, in Labels.
// Predict reads no target. A target may be mixed of two labels: Shares[i] of Labels[i] and the rest of Others[i]; both are
// empty otherwise.
type Batch struct {
	N      int
	X      []float32
	IDs    []int32
	Y      []float32
	Labels []int32
	Others []int32
	Shares []float32
}

// Key names the randomness of one micro-batch: dropout masks are a function of it and of the layer.
type Key struct {
	Seed  uint64
	Step  uint64
	Micro int
}

// Kind says who changes a parameter.
type Kind uint8

// The kinds of parameters.
const (
	Trainable Kind = iota // the optimizer, from its gradient
	Frozen                // nobody; its gradient is zero
	Moving                // the moving average of a batch statistic, which comes in the gradient's place
)

// Param is one tensor of the parameter vector.
type Param struct {
	Name     string // "dense/kernel": layer, then Keras' name of the tensor
	Shape    []int
	Off, Len int // its place in the flat vector, in floats; Off is a multiple of 16
	Kind     Kind
	Momentum float64 // Moving only: p = Momentum*p + (1-Momentum)*statistic
	L1, L2   float64 // the regularizer's weights
}

// RecordError is a batch's record that the network cannot take.
type RecordError struct {
	Index int // of the record in the batch, from 0
	Err   error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("record %d of the batch: %v", e.Index, e.Err)
}

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// LayerError is a layer that does not fit its input, or cannot be built at all.
type LayerError struct {
	Layer string // its name, with the names of the layers around it
	Err   error
}

func (e *LayerError) Error() string { return fmt.Sprintf("layer %q: %v", e.Layer, e.Err) }

// Unwrap returns the cause.
func (e *LayerError) Unwrap() error { return e.Err }

// shape is the shape of one record between two layers.
type shape struct {
	dims []int
	ids  bool // token ids
	mask bool // comes with a mask of its steps
}

// size is the number of elements.
func (s shape) size() int { return volume(s.dims) }

// last is the length of the last axis, 1 for a scalar.
func (s shape) last() int {
	if len(s.dims) == 0 {
		return 1
	}
	return s.dims[len(s.dims)-1]
}

// with is the shape of s with other dimensions and no mask.
func (s shape) with(dims ...int) shape { return shape{dims: dims} }

// withLast is s with another last axis.
func (s shape) withLast(n int) shape {
	d := slices.Clone(s.dims)
	d[len(d)-1] = n
	return shape{dims: d, mask: s.mask}
}

func volume(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
