package dataset

import (
	"encoding/binary"
	"errors"
	"io"
)

// thriftWalk goes over a struct in Thrift's compact protocol, as parquet's headers are, and finds whether everything that it
// announces is there: the library takes memory for what a list or a string claims to hold before it looks.
type thriftWalk struct {
	b       []byte // what is still to be walked
	structs int    // so far
}

// maxThriftDepth is far above the nesting of parquet's structs.
const maxThriftDepth = 16

// The types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftI8     = 3
	thriftI16    = 4
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

var errThrift = errors.New("it is not written as parquet's headers are")

// structure walks the fields of a struct:
//
//	delta of the field's number (4 bits), type (4 bits) | number, if the delta is 0 | value      ...      0
func (w *thriftWalk) structure(depth int) error {
	if w.structs++; depth > maxThriftDepth {
		return errThrift
	}
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 {
			if _, err := w.uvarint(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind != thriftTrue && kind != thriftFalse { // a field's type is its truth
			if err := w.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

func (w *thriftWalk) value(kind byte, depth int) error {
	switch {
	case kind == thriftTrue || kind == thriftFalse || kind == thriftI8:
		return w.skip(1)
	case kind >= thriftI16 && kind <= thriftI64:
		_, err := w.uvarint()
		return err
	case kind == thriftDouble:
		return w.skip(8)
	case kind == thriftBinary:
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case kind == thriftList || kind == thriftSet:
		return w.list(depth)
	case kind == thriftMap:
		return w.dict(depth)
	case kind == thriftStruct:
		return w.structure(depth + 1)
	}
	return errThrift
}

// list walks a list: count (4 bits; 15: it follows), type (4 bits) | elements, of at least a byte each.
func (w *thriftWalk) list(depth int) error {
	head, err := w.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = w.uvarint(); err != nil {
			return err
		}
	}
	return w.elements(n, depth+1, head&15)
}

// dict walks a map: count | types of key and value (4 bits each), unless it is empty | keys and values.
func (w *thriftWalk) dict(depth int) error {
	n, err := w.uvarint()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := w.byte()
	if err != nil {
		return err
	}
	return w.elements(n, depth+1, kinds>>4, kinds&15)
}

// elements walks n times one value of each type.
func (w *thriftWalk) elements(n uint64, depth int, kinds ...byte) error {
	if depth > maxThriftDepth {
		return errThrift
	}
	if n > uint64(len(w.b)) {
		return io.ErrUnexpectedEOF
	}
	for range n {
		for _, kind := range kinds {
			if err := w.value(kind, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *thriftWalk) byte() (byte, error) {
	if len(w.b) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	b := w.b[0]
	w.b = w.b[1:]
	return b, nil
}

func (w *thriftWalk) uvarint() (uint64, error) {
	v, n := binary.Uvarint(w.b)
	if n < 0 {
		return 0, errThrift
	}
	if n == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	w.b = w.b[n:]
	return v, nil
}

func (w *thriftWalk) skip(n uint64) error {
	if n > uint64(len(w.b)) {
		return io.ErrUnexpectedEOF
	}
	w.b = w.b[n:]
	return nil
}
