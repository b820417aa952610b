// Package model builds a neural network from a job's specification and computes its loss, gradient, metrics and
// predictions in float32 on one core.
//
// Three types divide the work. Network is what the specification says: layers with inferred shapes, the list of
// parameters, the loss, the metrics; it is immutable and shared by all. Weights is one parameter vector made ready for
// the kernels; it is loaded once a step and then only read. Pass owns every buffer of one core, planned once for a
// largest number of records; a warm Train or Eval allocates nothing.
//
// Tensors are row-major with channels last, the batch first and left out of every shape: [features],
// [height, width, channels], [time, features]. All parameters live in one flat vector in forward order; each tensor
// starts at a multiple of 16 floats, and the padding between them is always zero.
//
// The bits of a result are a function of the weights, the batch and the Key. They do not depend on a Pass's size, on
// what it computed before, or on what other cores do. Randomness is keyed by (seed, purpose, step, micro-batch, layer).
package model
