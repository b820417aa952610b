package infer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"lockstep/internal/dataset"
)

// An npy file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
//
//	"\x93NUMPY" major minor | header length u16 (u32 from version 2 on) | header, a Python dictionary | data
const npyMagic = "\x93NUMPY"

// maxNpyHeader bounds a header, in bytes.
const maxNpyHeader = 1 << 16

var (
	npyDescr   = regexp.MustCompile(`'descr'\s*:\s*'([<>|=]?)([fiub])(\d)'`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*False`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9, ]*)\)`)
)

// npyArray is a header as it matters here.
type npyArray struct {
	order binary.ByteOrder
	kind  byte
	size  int
	shape []int
}

func readNpyHeader(r io.Reader) (*npyArray, error) {
	var start [12]byte
	if _, err := io.ReadFull(r, start[:10]); err != nil || string(start[:6]) != npyMagic {
		return nil, errors.New("not an npy file")
	}
	n := int64(binary.LittleEndian.Uint16(start[8:]))
	if start[6] >= 2 {
		if _, err := io.ReadFull(r, start[10:]); err != nil {
			return nil, err
		}
		n = int64(binary.LittleEndian.Uint32(start[8:]))
	}
	if n > maxNpyHeader {
		return nil, fmt.Errorf("a header of %d bytes, over the limit of %d", n, maxNpyHeader)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	descr, shape := npyDescr.FindSubmatch(header), npyShape.FindSubmatch(header)
	if descr == nil || shape == nil || !npyFortran.Match(header) {
		return nil, fmt.Errorf("header %.80q: want numbers in C order", bytes.TrimSpace(header))
	}
	a := &npyArray{order: binary.LittleEndian, kind: descr[2][0], size: int(descr[3][0] - '0')}
	if string(descr[1]) == ">" {
		a.order = binary.BigEndian
	}
	if bits := a.size; bits != 1 && bits != 2 && bits != 4 && bits != 8 || a.kind == 'f' && bits < 4 {
		return nil, fmt.Errorf("element type %s%d is not supported", descr[2], a.size)
	}
	for _, d := range strings.FieldsFunc(string(shape[1]), func(r rune) bool { return r == ',' || r == ' ' }) {
		v, err := strconv.Atoi(d)
		if err != nil || v > math.MaxInt32 {
			return nil, fmt.Errorf("shape (%s)", shape[1])
		}
		a.shape = append(a.shape, v)
	}
	return a, nil
}

func (a *npyArray) number(b []byte) float64 {
	var u uint64
	switch a.size {
	case 1:
		u = uint64(b[0])
	case 2:
		u = uint64(a.order.Uint16(b))
	case 4:
		u = uint64(a.order.Uint32(b))
	default:
		u = a.order.Uint64(b)
	}
	switch {
	case a.kind == 'f' && a.size == 4:
		return float64(math.Float32frombits(uint32(u)))
	case a.kind == 'f':
		return math.Float64frombits(u)
	case a.kind == 'i':
		shift := 64 - 8*a.size
		return float64(int64(u<<shift) >> shift)
	}
	return float64(u)
}

// ReadNpy reads the records along the first axis of an npy file.
func (m *Model) ReadNpy(file string, r io.Reader, emit func(Record) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	a, err := readNpyHeader(in)
	if err == nil && (len(a.shape) == 0 || volume(a.shape[1:]) != m.Input.Width()) {
		err = fmt.Errorf("records of shape %v, want %v", a.shape[min(1, len(a.shape)):], m.InputShape())
	}
	if err != nil {
		return &dataset.RecordError{File: file, Err: err}
	}
	raw, numbers := make([]byte, a.size*m.Input.Width()), make([]float64, m.Input.Width())
	for i := range a.shape[0] {
		if _, err := io.ReadFull(in, raw); err != nil {
			return place(file, i+1, 0, errors.New("the file ends here"))
		}
		for j := range numbers {
			numbers[j] = a.number(raw[j*a.size:])
		}
		rec, err := m.FromNumbers(numbers)
		if err != nil {
			return place(file, i+1, 0, err)
		}
		if err := emit(rec); err != nil {
			return err
		}
	}
	return nil
}

// WriteNpyHeader begins an npy file of float32 with this shape.
func WriteNpyHeader(w io.Writer, shape []int) error {
	dims := strings.TrimSuffix(strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", ", ")+",", ",")
	if len(shape) == 1 {
		dims += ","
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", dims)
	const before = len(npyMagic) + 4
	header += strings.Repeat(" ", 63-(before+len(header))%64) + "\n"
	start := binary.LittleEndian.AppendUint16([]byte(npyMagic+"\x01\x00"), uint16(len(header)))
	_, err := w.Write(append(start, header...))
	return err
}
