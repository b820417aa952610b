package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
)

// Npy calls emit with the numbers of each record along the first axis of an npy file; record counts from 1, and raw is emit's
// only until it returns. Errors in the file are *RecordError.
func (in *Input) Npy(path string, r io.Reader, emit func(record int, raw []float64) error) error {
	f := &file{Reader: bufio.NewReaderSize(r, 1<<16), path: path}
	h, err := readNpyHeader(f)
	if err != nil {
		return f.fault(err)
	}
	if h.shape[0] == 0 {
		return nil
	}
	if h.fortran && len(h.shape) > 1 {
		return f.fault(errors.New("its first axis is the fastest: save it in C order (numpy.ascontiguousarray)"))
	}
	a, err := newArray(path, h.element, h.shape, limits{total: math.MaxInt64, record: defaultLimits.record})
	if err == nil && a.elements != in.width {
		err = fmt.Errorf("records of shape %v, the model reads %d numbers: %v", h.shape[1:], in.width, in.info.Shape)
	}
	if err != nil {
		return f.fault(err)
	}
	raw, numbers := make([]byte, a.size()), make([]float64, a.elements)
	for i := range a.n {
		if _, err := io.ReadFull(f, raw); err != nil {
			return &RecordError{File: path, Record: i + 1, Err: errors.New("the file ends here")}
		}
		for j := range numbers {
			numbers[j] = a.number(raw, j)
		}
		if err := emit(i+1, numbers); err != nil {
			return err
		}
	}
	return a.end(f)
}
