package ring

import (
	"context"
	"errors"
)

// Convert turns the complete sums acc, which begin at value off of the operation's
// vector, into float32. It is called for parts of the vector, by any member, and must
// give the same bits everywhere.
type Convert func(dst []float32, acc []int64, off int) error

// AllReduce adds acc across all members, exactly, and sets dst to the sums, converted.
// Every member gets the same bits, which do not depend on the number of members, on
// their order, or on how the values are cut. len(dst) == len(acc).
//
// acc is used up. After an error dst is not valid. The error is a *PeerError if a
// member is to blame, else it wraps the ctx's cause or convert's error.
func (r *Ring) AllReduce(ctx context.Context, op Op, dst []float32, acc []int64, convert Convert) error {
	if len(dst) != len(acc) {
		return errors.New("reduce: lengths of dst and acc differ")
	}
	r.exact = exactBody{r: r, dst: dst, acc: acc, convert: convert}
	return r.run(ctx, op, &r.exact, len(acc))
}

// AllReduceInt64 adds words across all members, wrapping around as integers do. After an
// error words are not valid.
func (r *Ring) AllReduceInt64(ctx context.Context, op Op, words []int64) error {
	r.words = wordsBody{r: r, words: words}
	return r.run(ctx, op, &r.words, len(words))
}

// AllReduceFloat32 adds x across all members in float32: every member gets the same bits,
// which depend on the number of members and their order. After an error x is not valid.
func (r *Ring) AllReduceFloat32(ctx context.Context, op Op, x []float32) error {
	r.floats = floatBody{r: r, x: x}
	return r.run(ctx, op, &r.floats, len(x))
}
