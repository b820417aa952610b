package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// npyMagic begins a file in NumPy's format (numpy.lib.format), versions 1 to 3:
//
//	\x93NUMPY  major  minor | length of the header (16 bits, from version 2 on 32, little-endian) | header | elements
//
// The header is the text of a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
const npyMagic = "\x93NUMPY"

const maxNpyHeader = 1 << 16

// npyReader reads the files of an npy dataset.
type npyReader struct {
	src    source.Tree
	lim    limits
	labels arrayLabels
}

func (r *npyReader) classNames() []string { return r.labels.names() }

func (r *npyReader) read(ctx context.Context, _ string, files spec.Files) (*part, error) {
	return readPair(files, "npy", &r.labels, func(name string) (*array, error) {
		f, err := openFile(ctx, r.src, name)
		if err != nil {
			return nil, err
		}
		defer r.lim.close(f)
		return readNpy(f, r.lim)
	}, r.lim)
}

// readNpy reads f to its end.
func readNpy(f *file, lim limits) (*array, error) {
	h, err := readNpyHeader(f)
	if err != nil {
		return nil, f.fault(err)
	}
	a, err := newArray(f.path, h.element, h.shape, lim)
	if err != nil {
		return nil, f.fault(err)
	}
	a.header = h.size
	turned := h.fortran && len(a.dims) > 0
	if turned && a.space != nil {
		if !a.space.Reserve(int64(a.n) * int64(a.size())) {
			return nil, f.fault(errors.New("its first axis is the fastest, and it does not fit into memory: save it in C order (numpy.ascontiguousarray)"))
		}
		a.space = nil
	}
	if err := a.read(f); err != nil {
		return nil, err
	}
	if turned {
		a.turn()
	}
	return a, a.checkFinite()
}

// npyHeader is what a header says.
type npyHeader struct {
	size    int64 // of itself, in bytes
	element element
	fortran bool // the first axis is the fastest
	shape   []uint64
}

func readNpyHeader(f *file) (*npyHeader, error) {
	short := func(err error) error {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return errors.New("the file ends inside the npy header")
		}
		return err
	}
	var start [8]byte
	if _, err := io.ReadFull(f, start[:]); err != nil {
		return nil, short(err)
	}
	if string(start[:6]) != npyMagic {
		return nil, fmt.Errorf("not an npy file: it begins with %q", start[:6])
	}
	width := 4
	switch start[6] {
	case 1:
		width = 2
	case 2, 3:
	default:
		return nil, fmt.Errorf("npy version %d.%d: want 1 to 3", start[6], start[7])
	}
	var length [4]byte
	if _, err := io.ReadFull(f, length[:width]); err != nil {
		return nil, short(err)
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxNpyHeader {
		return nil, fmt.Errorf("an npy header of %d bytes, over the limit of %d", n, maxNpyHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, short(err)
	}
	h, err := parseNpyHeader(string(text))
	if err == nil {
		h.size = int64(len(start) + width + len(text))
	}
	return h, err
}

// parseNpyHeader reads the dict: its keys are always these three.
func parseNpyHeader(text string) (*npyHeader, error) {
	bad := func(what string) error { return fmt.Errorf("npy header: no %s in %s", what, excerpt(text)) }
	h := &npyHeader{}
	descr, ok := npyField(text, "descr")
	if !ok {
		return nil, bad("descr")
	}
	if strings.HasPrefix(descr, "[") {
		return nil, errors.New("a structured array: save each field as an array of its own")
	}
	end := -1
	if len(descr) > 1 && (descr[0] == '\'' || descr[0] == '"') {
		end = strings.IndexByte(descr[1:], descr[0])
	}
	if end < 0 {
		return nil, bad("descr")
	}
	var err error
	if h.element, err = npyElement(descr[1 : 1+end]); err != nil {
		return nil, err
	}
	order, ok := npyField(text, "fortran_order")
	if h.fortran = strings.HasPrefix(order, "True"); !ok || !h.fortran && !strings.HasPrefix(order, "False") {
		return nil, bad("fortran_order")
	}
	shape, ok := npyField(text, "shape")
	inside, _, closed := strings.Cut(strings.TrimPrefix(shape, "("), ")")
	if !ok || !strings.HasPrefix(shape, "(") || !closed {
		return nil, bad("shape")
	}
	for d := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(inside), ","), ",") {
		if d = strings.TrimSpace(d); d == "" {
			return nil, errors.New("a single number: the first axis has to count records")
		}
		v, err := strconv.ParseUint(d, 10, 64)
		if err != nil {
			return nil, bad("shape")
		}
		h.shape = append(h.shape, v)
	}
	return h, nil
}

// npyField is the text after a key's colon.
func npyField(text, key string) (string, bool) {
	for _, quote := range []string{"'", `"`} {
		if _, after, ok := strings.Cut(text, quote+key+quote); ok {
			if after, ok = strings.CutPrefix(strings.TrimSpace(after), ":"); ok {
				return strings.TrimSpace(after), true
			}
		}
	}
	return "", false
}

// npyElement understands a dtype: byte order, kind and size.
func npyElement(descr string) (element, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if strings.HasPrefix(descr, ">") {
		order = binary.BigEndian
	}
	switch kind := strings.TrimLeft(descr, "<>|="); kind {
	case "b1", "u1":
		return integerElement(1, false, order), nil
	case "i1":
		return integerElement(1, true, order), nil
	case "u2", "u4", "u8":
		return integerElement(int(kind[1]-'0'), false, order), nil
	case "i2", "i4", "i8":
		return integerElement(int(kind[1]-'0'), true, order), nil
	case "f2", "f4", "f8":
		return floatElement(int(kind[1]-'0'), order), nil
	case "O":
		return element{}, errors.New("an array of Python objects: save numbers, with a dtype such as float32")
	}
	return element{}, fmt.Errorf("elements of type %q: want bool, int8 to int64, uint8 to uint64 or float16 to float64", descr)
}
