package ckpt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"sort"
)

const (
	magic    = "LKSTATE\x01" // the last byte is the version: 2 if there is a description of the dataset
	fixedLen = 16            // magic, header length, header CRC
	align    = 64            // tensor data begins at a multiple of it
	crcLen   = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encoding is the encoded form of a state, readable at any offset without a second copy of the tensors. The state must
// not change while its encoding is in use. An Encoding is safe for concurrent reading.
type Encoding struct {
	head    []byte // up to and with the padding
	tensors []Tensor
	starts  []int64 // offset of each tensor's data, then of the trailer
	trailer [crcLen]byte
}

// NewEncoding checks and lays out s. It reads all of s once, for the CRC.
func NewEncoding(s *State) (*Encoding, error) {
	e, err := layOut(s)
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	crc := crc32.Update(0, castagnoli, e.head)
	buf := make([]byte, 64<<10)
	for i := range e.tensors {
		for data := e.tensors[i].Data; len(data) > 0; {
			n := min(len(data), len(buf)/4)
			putFloats(buf, data[:n])
			crc = crc32.Update(crc, castagnoli, buf[:4*n])
			data = data[n:]
		}
	}
	binary.LittleEndian.PutUint32(e.trailer[:], crc)
	return e, nil
}

// EncodedLen returns the length of the encoding of s in bytes, or an error if s cannot be encoded.
func EncodedLen(s *State) (int64, error) {
	e, err := layOut(s)
	if err != nil {
		return 0, fmt.Errorf("size state: %w", err)
	}
	return e.Len(), nil
}

// Encode writes the encoding of s to w.
func Encode(w io.Writer, s *State) error {
	r, err := NewReader(s)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	return nil
}

// NewReader returns a reader of the encoding of s. The state must not change until the reader is at its end.
func NewReader(s *State) (*io.SectionReader, error) {
	e, err := NewEncoding(s)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(e, 0, e.Len()), nil
}

// layOut makes the encoding of s without its trailer.
func layOut(s *State) (*Encoding, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	head, err := appendHead(nil, s)
	if err != nil {
		return nil, err
	}
	e := &Encoding{head: head, tensors: s.Tensors, starts: make([]int64, 0, len(s.Tensors)+1)}
	off := int64(len(head))
	for i := range s.Tensors {
		e.starts = append(e.starts, off)
		off += 4 * int64(len(s.Tensors[i].Data))
	}
	e.starts = append(e.starts, off)
	return e, nil
}

// Len returns the length of the encoding in bytes.
func (e *Encoding) Len() int64 { return e.starts[len(e.tensors)] + crcLen }

// ReadAt implements [io.ReaderAt].
func (e *Encoding) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read state encoding: negative offset")
	}
	done := 0
	for done < len(p) && off < e.Len() {
		n := e.readPart(p[done:], off)
		done += n
		off += int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// readPart copies from the part of the encoding that has offset off, at least one byte.
func (e *Encoding) readPart(p []byte, off int64) int {
	if off < int64(len(e.head)) {
		return copy(p, e.head[off:])
	}
	if end := e.starts[len(e.tensors)]; off >= end {
		return copy(p, e.trailer[off-end:])
	}
	// The last tensor that starts at or before off: empty ones before it start there too.
	i := sort.Search(len(e.tensors), func(i int) bool { return e.starts[i+1] > off })
	rest := off - e.starts[i]
	return readFloats(p, e.tensors[i].Data[rest/4:], int(rest%4))
}

// readFloats copies the little-endian bytes of data to p, without the first skip < 4 of them. It returns how many.
func readFloats(p []byte, data []float32, skip int) int {
	if skip == 0 && len(p) >= 4 {
		n := min(len(p)/4, len(data))
		putFloats(p, data[:n])
		return 4 * n
	}
	var word [4]byte
	putFloats(word[:], data[:1])
	return copy(p, word[skip:])
}

// putFloats does p[4i:4i+4] = little-endian bits of data[i].
func putFloats(p []byte, data []float32) {
	p = p[:4*len(data)]
	for i, v := range data {
		binary.LittleEndian.PutUint32(p[4*i:4*i+4], math.Float32bits(v))
	}
}
