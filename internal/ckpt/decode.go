package ckpt

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
)

// Decode reads one encoded state from r, to its end. Bytes that no encoder writes, a wrong CRC, an early end and bytes
// after the end give [ErrCorrupt]; an error of r is passed on. Memory grows with the bytes that r delivers, not with
// what the header claims.
func Decode(r io.Reader) (*State, error) {
	s, err := decode(r)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // as they are: a wrapped one is r's own error, such as a lost peer
		err = corrupt("it ends early")
	}
	if err != nil {
		return nil, fmt.Errorf("decode state: %w", err)
	}
	return s, nil
}

// corrupt returns an ErrCorrupt with a reason.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

func decode(r io.Reader) (*State, error) {
	crc := crc32.New(castagnoli)
	sum := io.TeeReader(r, crc)
	header, version, err := readHead(sum)
	if err != nil {
		return nil, err
	}
	s, ok := parseHeader(header, version)
	if !ok {
		return nil, corrupt("malformed header")
	}
	for i := range s.Tensors {
		t := &s.Tensors[i]
		n, err := elements(t.Shape)
		if err != nil {
			return nil, corrupt("tensor %q: %v", t.Name, err)
		}
		if t.Data, err = readData(sum, n); err != nil {
			return nil, err
		}
	}
	if err := s.check(); err != nil {
		return nil, corrupt("%v", err)
	}
	return s, readTrailer(r, crc)
}

// readHead reads up to and with the padding and returns the header and the format's version.
func readHead(r io.Reader) (header []byte, version byte, err error) {
	var fixed [fixedLen]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return nil, 0, err
	}
	version = fixed[len(magic)-1]
	if string(fixed[:len(magic)-1]) != magic[:len(magic)-1] {
		return nil, 0, corrupt("not a training state")
	}
	if version != magic[len(magic)-1] && version != version2 {
		return nil, 0, corrupt("format version %d is unknown", version)
	}
	header, err = readHeader(r, fixed[len(magic):])
	return header, version, err
}

// readHeader reads the header whose length and CRC are given, and the padding behind it.
func readHeader(r io.Reader, fixed []byte) ([]byte, error) {
	n := int64(binary.LittleEndian.Uint32(fixed))
	if n > maxHeader {
		return nil, corrupt("header of %d bytes is over the limit of %d", n, maxHeader)
	}
	header, err := io.ReadAll(io.LimitReader(r, n))
	if err != nil {
		return nil, err
	}
	if int64(len(header)) < n {
		return nil, io.ErrUnexpectedEOF
	}
	if crc32.Checksum(header, castagnoli) != binary.LittleEndian.Uint32(fixed[4:]) {
		return nil, corrupt("CRC of the header")
	}
	var pad, zero [align]byte
	k := padding(fixedLen + len(header))
	if _, err := io.ReadFull(r, pad[:k]); err != nil {
		return nil, err
	}
	if pad != zero {
		return nil, corrupt("padding is not zero")
	}
	return header, nil
}

// readData reads n values, allocating at most a mebibyte ahead of the data or as much as was read already.
func readData(r io.Reader, n int64) ([]float32, error) {
	var buf [64 << 10]byte
	data := make([]float32, 0, min(n, 1<<18))
	for left := n; left > 0; {
		b := buf[:min(4*left, int64(len(buf)))]
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		if cap(data)-len(data) < len(b)/4 {
			data = append(make([]float32, 0, min(n, 2*int64(cap(data)))), data...)
		}
		for i := 0; i < len(b); i += 4 {
			data = append(data, math.Float32frombits(binary.LittleEndian.Uint32(b[i:])))
		}
		left -= int64(len(b) / 4)
	}
	return data, nil
}

// readTrailer compares the CRC that follows in r with crc and expects the end of r.
func readTrailer(r io.Reader, crc hash.Hash32) error {
	var trailer [crcLen]byte
	if _, err := io.ReadFull(r, trailer[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(trailer[:]) != crc.Sum32() {
		return corrupt("CRC")
	}
	switch n, err := io.ReadFull(r, trailer[:1]); {
	case n > 0:
		return corrupt("bytes after the end")
	case err != io.EOF:
		return err
	}
	return nil
}
