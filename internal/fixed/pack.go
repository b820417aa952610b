package fixed

import (
	"slices"

	"lockstep/internal/kernel"
)

// BlockLen is the number of integers that share a width on the wire.
const BlockLen = 512

// Packing is the lossless wire form of partial sums, as ring uses it:
//
//	block:  | width w, 1 byte | value 0, w bytes | value 1, w bytes | ... |
//
// with up to BlockLen values a block, only the last one shorter. A value is the w
// low bytes, little-endian, of its two's complement; w, 0 to 8, is the least that
// all values of the block survive.
type Packing struct{}

// BlockLen returns the number of values in a block.
func (Packing) BlockLen() int { return BlockLen }

// MaxLen returns the largest packed length of n values.
func (Packing) MaxLen(n int) int { return 8*n + (n+BlockLen-1)/BlockLen }

// Pack writes src to dst, which has at least MaxLen(len(src)) bytes, and returns
// the number of bytes written.
func (Packing) Pack(dst []byte, src []int64) int {
	at := 0
	for len(src) > 0 {
		n := min(BlockLen, len(src))
		w := width(src[:n])
		dst[at] = byte(w)
		at++
		if w > 0 {
			kernel.PackInt64(dst[at:at+n*w], src[:n], w)
		}
		at += n * w
		src = src[n:]
	}
	return at
}

// Width reads a block's first byte: the length of its values, each in bytes. ok is
// false when no such block exists.
func (Packing) Width(first byte) (w int, ok bool) { return int(first), first <= 8 }

// Unpack sets dst to the values of a block of len(dst) values; src is what follows
// the width byte, len(dst)*w bytes.
func (Packing) Unpack(dst []int64, src []byte, w int) {
	if w == 0 {
		clear(dst)
		return
	}
	kernel.UnpackInt64(dst, src, w)
}

// UnpackAdd adds the values of a block to dst.
func (Packing) UnpackAdd(dst []int64, src []byte, w int) {
	if w > 0 {
		kernel.UnpackAdd(dst, src, w)
	}
}

// width returns the bytes that hold every value of src.
func width(src []int64) int {
	w := kernel.PackWidth(src)
	if w == 1 && !slices.ContainsFunc(src, func(v int64) bool { return v != 0 }) {
		return 0
	}
	return w
}
