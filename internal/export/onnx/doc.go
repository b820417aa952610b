// Package onnx writes a network in the Open Neural Network Exchange format (https://onnx.ai, IR version 7, operator set
// 11), so that any runtime computes what Predict computes.
//
// The graph has one input, "input", [batch, shape of a record] as Lockstep has it: channels last, of float32, or of
// int64 for token ids; and one output, "output". Images are transposed to [batch, channels, height, width] before the
// first layer that wants them so, and back behind the last. The metadata has what the caller gives it.
//
// Not exported: masks (embedding with mask_zero), which operator set 11 has no word for.
package onnx
