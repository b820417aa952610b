package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// The element types of an idx file, by the third byte of its magic number.
//
//	0   0  type  d | n_1 ... n_d (32 bits each, big-endian) | n_1*...*n_d elements, big-endian, last axis fastest
var idxElements = map[byte]element{
	0x08: integerElement(1, false, binary.BigEndian),
	0x09: integerElement(1, true, binary.BigEndian),
	0x0B: integerElement(2, true, binary.BigEndian),
	0x0C: integerElement(4, true, binary.BigEndian),
	0x0D: floatElement(4, binary.BigEndian),
	0x0E: floatElement(8, binary.BigEndian),
}

// idxReader reads the files of an idx dataset.
type idxReader struct {
	src    source.Tree
	lim    limits
	labels arrayLabels
}

func (r *idxReader) read(ctx context.Context, _ string, files spec.Files) (*part, error) {
	return readPair(files, "idx", &r.labels, func(name string) (*array, error) {
		f, err := openFile(ctx, r.src, name)
		if err != nil {
			return nil, err
		}
		defer r.lim.close(f)
		return readIdx(f, r.lim)
	}, r.lim)
}

// readIdx reads f to its end.
func readIdx(f *file, lim limits) (*array, error) {
	a, err := readIdxHeader(f, lim)
	if err != nil {
		return nil, f.fault(err)
	}
	if err := a.read(f); err != nil {
		return nil, err
	}
	return a, a.checkFinite()
}

func readIdxHeader(f *file, lim limits) (*array, error) {
	short := func(err error) error {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return errors.New("the file ends inside the idx header")
		}
		return err
	}
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil {
		return nil, short(err)
	}
	e, known := idxElements[magic[2]]
	if magic[0] != 0 || magic[1] != 0 || !known || magic[3] == 0 {
		return nil, fmt.Errorf("not an idx file: magic number %#08x", binary.BigEndian.Uint32(magic[:]))
	}
	short32 := make([]uint32, magic[3])
	if err := binary.Read(f, binary.BigEndian, short32); err != nil {
		return nil, short(err)
	}
	dims := make([]uint64, len(short32))
	for i, d := range short32 {
		dims[i] = uint64(d)
	}
	a, err := newArray(f.path, e, dims, lim)
	if err == nil {
		a.header = int64(len(magic) + 4*len(dims))
	}
	return a, err
}
