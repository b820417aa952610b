package infer

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// An npy file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
//
//	"\x93NUMPY" major minor | length of the header u16 (u32 from version 2 on) | header, a Python dictionary | data
const npyMagic = "\x93NUMPY"

// ReadNpy reads the records along the first axis of an npy file.
func (m *Model) ReadNpy(file string, r io.Reader, emit func(Record) error) error {
	return m.Input.Npy(file, r, func(record int, raw []float64) error {
		rec, err := m.FromNumbers(raw)
		if err != nil {
			return place(file, record, 0, err)
		}
		return emit(rec)
	})
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
