package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/delta"
)

// The sizes that delta-encoded blocks may have: real ones have 128 values in 4 parts.
const maxDeltaBlock = 1 << 16

// deltas checks the counts of delta-encoded whole numbers, and returns how many there are and how many bytes they take:
//
//	values in a block, parts of a block, values, first value | least difference, bits of each part | parts ...
func (p *pageBody) deltas(b []byte) (count, length int, err error) {
	rest := b
	var head [4]uint64
	for i := range head {
		if head[i], rest, err = cutUvarint(rest); err != nil {
			return 0, 0, err
		}
	}
	block, parts, n := head[0], head[1], head[2]
	if block == 0 || block%128 != 0 || block > maxDeltaBlock || parts == 0 || block%parts != 0 || block/parts%32 != 0 {
		return 0, 0, fmt.Errorf("it has blocks of %d values in %d parts", block, parts)
	}
	if n > uint64(p.values) {
		return 0, 0, fmt.Errorf("it has %d values, its header says %d", n, p.values)
	}
	for left := int(n) - 1; left > 0 && len(rest) > 0; {
		if _, rest, err = cutUvarint(rest); err != nil {
			return 0, 0, err
		}
		if uint64(len(rest)) < parts {
			return 0, 0, io.ErrUnexpectedEOF
		}
		widths := rest[:parts]
		rest = rest[parts:]
		for _, w := range widths {
			if w > 64 {
				return 0, 0, fmt.Errorf("it has differences of %d bits", w)
			}
			if left <= 0 {
				break
			}
			rest = rest[min(len(rest), int(block/parts)*int(w)/8):]
			left -= int(block / parts)
		}
	}
	return int(n), len(b) - len(rest), nil
}

func cutUvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return v, b[n:], nil
}

// prefixes checks texts that are given by how much of the one before they begin with, and the rest: what they become may be
// far more than their bytes.
func (p *pageBody) prefixes(b []byte) error {
	total := int64(0)
	for range 2 { // lengths of the beginnings, then of the rests
		_, length, err := p.deltas(b)
		if err != nil {
			return err
		}
		lengths, err := new(delta.BinaryPackedEncoding).DecodeInt32(nil, b[:length])
		if err != nil {
			return err
		}
		for _, n := range lengths {
			if n < 0 {
				return errors.New("it has a text of less than no bytes")
			}
			total += int64(n)
		}
		b = b[length:]
	}
	return p.claim(total)
}
