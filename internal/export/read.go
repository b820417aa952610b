package export

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// maxHeader is the format's own limit on the JSON header, in bytes.
const maxHeader = 100_000_000

// ReadSafetensors reads one safetensors file from r, to its end, and returns its tensors sorted by name. Metadata is
// skipped. Only float32 tensors are read; another element type, a gap, an overlap or trailing bytes are errors. Memory
// grows with the bytes that r delivers, not with what the header claims.
func ReadSafetensors(r io.Reader) ([]Tensor, error) {
	ts, _, err := ReadWithMetadata(r)
	return ts, err
}

// ReadWithMetadata is ReadSafetensors that returns the metadata too, nil if there is none.
func ReadWithMetadata(r io.Reader) ([]Tensor, map[string]string, error) {
	ts, metadata, err := readTensors(r)
	if err != nil {
		return nil, nil, fmt.Errorf("read safetensors: %w", err)
	}
	return ts, metadata, nil
}

func readTensors(r io.Reader) ([]Tensor, map[string]string, error) {
	header, err := readHeader(r)
	if err != nil {
		return nil, nil, err
	}
	entries, metadata, err := parseHeader(header)
	if err == nil {
		err = layout(entries)
	}
	if err != nil {
		return nil, nil, err
	}
	ts := make([]Tensor, len(entries))
	for i, e := range entries {
		data, err := readFloats(r, (e.end-e.begin)/4)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", e.name, err)
		}
		ts[i] = Tensor{Name: e.name, Shape: e.shape, Data: data}
	}
	if err := expectEOF(r); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(ts, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	return ts, metadata, nil
}

func readHeader(r io.Reader) ([]byte, error) {
	var word [8]byte
	if _, err := io.ReadFull(r, word[:]); err != nil {
		return nil, fmt.Errorf("header length: %w", noEOF(err))
	}
	n := binary.LittleEndian.Uint64(word[:])
	if n > maxHeader {
		return nil, fmt.Errorf("header of %d bytes is over the limit of %d", n, maxHeader)
	}
	header, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && uint64(len(header)) < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return header, nil
}

// layout puts entries in the order of their data and checks that they cover it without gap or overlap.
func layout(entries []entry) error {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), strings.Compare(a.name, b.name))
	})
	off := int64(0)
	for _, e := range entries {
		if e.begin != off {
			return fmt.Errorf("tensor %q begins at %d instead of %d", e.name, e.begin, off)
		}
		off = e.end
	}
	return nil
}

// readFloats reads n values. It allocates at most a mebibyte ahead of the data, so that a short file cannot ask for
// memory that it does not fill.
func readFloats(r io.Reader, n int64) ([]float32, error) {
	var buf [64 << 10]byte
	data := make([]float32, 0, min(n, 1<<18))
	for left := n; left > 0; {
		b := buf[:min(4*left, int64(len(buf)))]
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, noEOF(err)
		}
		for i := 0; i < len(b); i += 4 {
			data = append(data, math.Float32frombits(binary.LittleEndian.Uint32(b[i:])))
		}
		left -= int64(len(b) / 4)
	}
	return data, nil
}

func expectEOF(r io.Reader) error {
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); {
	case err == nil:
		return errors.New("bytes after the last tensor")
	case err == io.EOF:
		return nil
	default:
		return err
	}
}

// noEOF turns an end of file inside the file into the error for it.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
