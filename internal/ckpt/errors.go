package ckpt

import "errors"

var (
	// ErrCorrupt marks bytes that are not what was written: a failed hash or CRC, or a format that no encoder makes.
	ErrCorrupt = errors.New("corrupt data")
	// ErrNotFound marks a chunk that the store does not have.
	ErrNotFound = errors.New("chunk not found")
	// ErrNoSpace marks a write that was refused because the disk is full, or would be fuller than Options.Reserve allows.
	ErrNoSpace = errors.New("no space left for chunks")
	// ErrClosed marks a call on a closed store.
	ErrClosed = errors.New("chunk store is closed")
)
