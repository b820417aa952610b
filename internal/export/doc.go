// Package export writes a trained model in formats that other programs read.
//
// The canonical form of a model is its safetensors file (https://huggingface.co/docs/safetensors, format section):
// tensors sorted by name, compact header, no metadata. It is a pure function of names, shapes and values, so its
// SHA-256, see [Digest], is the identity of a model.
//
//	+--------+----------------------------------+--------------------------------------+
//	| n u64  | JSON header, n bytes, padded     | tensor data, float32 little-endian,  |
//	| LE     | with spaces so that 8 divides n  | in the order of the names, no gaps   |
//	+--------+----------------------------------+--------------------------------------+
//	header: {"bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"kernel":{...}}
package export
