// Package ckpt keeps checkpoints: the codec of a worker's training state, its cutting into content-addressed chunks,
// and a store of chunks in one bbolt file.
//
// A checkpoint is written in three steps:
//
//  1. [NewEncoding] lays out a [State] without copying its tensors; the encoding can be read at any offset.
//  2. The encoding is cut into chunks of [ChunkSize] bytes, named by their SHA-256. A [Manifest] lists them. Workers
//     with identical states have identical chunks, so that each may upload a part of them.
//  3. A [Store] keeps the chunks. Equal chunks are kept once. Every read is verified.
//
// It is read back through a [ChunkReader], which fetches and verifies chunk by chunk, and [Decode]. The same codec serves the
// copying of a state from worker to worker.
//
// The encoding, all integers little-endian:
//
//	+-----------------+---------+------------+--------------+-----------+----------------------+-------------+
//	| magic, version  | H u32   | CRC of     | header,      | zeros to  | tensor data, float32 | CRC u32 of  |
//	| "LKSTATE" 0x01  |         | header u32 | H bytes      | 64 bytes  | in header order      | all before  |
//	+-----------------+---------+------------+--------------+-----------+----------------------+-------------+
//
//	header:  step u64 | epoch u64 | spec hash 32 | ledger head 32
//	         | n u32, n x scale i32
//	         | n u32, n x (name, value i64)
//	         | n u32, n x (name, value float64)
//	         | n u32, n bytes of aux
//	         | n u32, n x (name, dims u8, dims x u64)
//	         | n u32, n bytes about the dataset, n > 0: only in version 2, which is written if there are any
//	name:    n u16, n bytes
//	CRC:     CRC-32C (Castagnoli). The CRC of the header covers the header only.
//
// The bytes are a pure function of the state, and exactly one encoding of a state is accepted.
//
// Corruption is one class of errors, [ErrCorrupt], apart from [ErrNotFound] and from I/O. The package does not decide
// which checkpoint is good, how many are kept, or where chunks are replicated.
package ckpt
