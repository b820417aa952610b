package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// pageBody checks what the body of a data page claims.
type pageBody struct {
	column *pageColumn
	values int               // that its header announces
	claim  func(int64) error // takes memory
}

// v1 checks the body of a page of version 1: length of the levels (32 bits, little-endian) | levels, twice | values.
func (p *pageBody) v1(b []byte, h *format.DataPageHeader) error {
	var err error
	if b, err = p.prefixed(b, h.RepetitionLevelEncoding, p.column.repetition); err == nil {
		b, err = p.prefixed(b, h.DefinitionLevelEncoding, p.column.definition)
	}
	if err != nil {
		return err
	}
	return p.data(b, h.Encoding)
}

// prefixed checks levels after their length, and returns what follows them.
func (p *pageBody) prefixed(b []byte, e format.Encoding, most int) ([]byte, error) {
	if most == 0 {
		return b, nil
	}
	if len(b) < 4 {
		return nil, io.ErrUnexpectedEOF
	}
	n := binary.LittleEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) {
		return nil, io.ErrUnexpectedEOF
	}
	return b[n:], p.levels(b[:n], e, most)
}

// v2 checks the body of a page of version 2, whose header has the levels' lengths; they are never bit-packed alone.
func (p *pageBody) v2(levels, data []byte, h *format.DataPageHeaderV2) error {
	n := h.RepetitionLevelsByteLength
	if err := p.levels(levels[:n], format.RLE, p.column.repetition); err != nil {
		return err
	}
	if err := p.levels(levels[n:], format.RLE, p.column.definition); err != nil {
		return err
	}
	return p.data(data, h.Encoding)
}

// levels checks levels up to most. Those that are bit-packed alone have no counts.
func (p *pageBody) levels(b []byte, e format.Encoding, most int) error {
	if most == 0 || e == format.BitPacked {
		return nil
	}
	if e != format.RLE {
		return fmt.Errorf("its levels have the encoding %v", e)
	}
	return p.runs(b, bits.Len(uint(most)), 8)
}

// data checks the values.
func (p *pageBody) data(b []byte, e format.Encoding) error {
	switch e {
	case format.Plain, format.ByteStreamSplit:
		return nil
	case plainDictionary, format.RLEDictionary:
		if len(b) == 0 {
			return nil
		}
		return p.runs(b[1:], int(b[0]), 8)
	case format.RLE:
		return p.booleans(b)
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray:
		_, _, err := p.deltas(b)
		return err
	case format.DeltaByteArray:
		return p.prefixes(b)
	}
	return fmt.Errorf("its values have the encoding %v", e)
}

// booleans checks runs of single bits after their length. The library counts those that are packed in bytes.
func (p *pageBody) booleans(b []byte) error {
	if p.column.kind != parquet.Boolean || len(b) < 4 {
		return errors.New("its values have the encoding RLE, which is for booleans")
	}
	if n := binary.LittleEndian.Uint32(b); uint64(n) < uint64(len(b)-4) {
		return p.runs(b[4:4+n], 1, 1)
	}
	return p.runs(b[4:], 1, 1)
}

// runSlack is by how many values runs may outnumber those of their page: writers fill the last run up.
const runSlack = 512

// runs checks parquet's mixture of runs and packed values, of width bits each:
//
//	count<<1 | value of (width+7)/8 bytes        count*8<<1 + 1 | packed values of count*width bytes
//
// unit is what the library takes for each packed group.
func (p *pageBody) runs(b []byte, width, unit int) error {
	if width > 32 {
		return fmt.Errorf("its values have %d bits", width)
	}
	most := uint64(p.values + runSlack)
	for n := uint64(0); len(b) > 0; {
		head, k := binary.Uvarint(b)
		if k <= 0 {
			return io.ErrUnexpectedEOF
		}
		b = b[k:]
		count, length := head>>1, uint64(width+7)/8
		if count > most {
			return fmt.Errorf("it has a run of %d values, its header says %d", count, p.values)
		}
		if head&1 == 1 {
			length = count * uint64(width)
			count *= uint64(unit)
		} else if count == 0 {
			length = 0
		}
		if n += count; n > most {
			return fmt.Errorf("it has more than the %d values that its header says", p.values)
		}
		if length > uint64(len(b)) {
			return io.ErrUnexpectedEOF
		}
		b = b[length:]
	}
	return nil
}
