package dataset

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"lockstep/internal/dataset/blocks"
)

// array is a decoded array file: the first axis counts records. Its elements stay as they are stored, last axis fastest,
// in blocks of whole records.
type array struct {
	path     string
	header   int64 // bytes before the first record
	element  element
	n        int   // records
	dims     []int // of one record; empty when a record is one element
	elements int   // in a record
	perBlock int   // records in a block; the last may have fewer
	blocks   [][]byte
	space    *blocks.Space
	store    *blocks.Store // in the place of blocks, where memory has a bound
}

const arrayBlock = 1 << 20 // bytes in a block, unless a record is longer

// newArray checks what a header announces against the limits.
func newArray(path string, e element, dims []uint64, lim limits) (*array, error) {
	if dims[0] == 0 {
		return nil, errors.New("no records")
	}
	a := &array{path: path, element: e, elements: 1, space: lim.space}
	limit := uint64(lim.record) / uint64(max(e.size, 4)) // 4: a float32 in a batch
	for _, d := range dims[1:] {
		if d == 0 {
			return nil, fmt.Errorf("records of %s elements", product(dims[1:]))
		}
		if d > limit/uint64(a.elements) {
			return nil, fmt.Errorf("records of %s elements, over the limit of %d", product(dims[1:]), limit)
		}
		a.dims = append(a.dims, int(d))
		a.elements *= int(d)
	}
	if dims[0] > math.MaxInt32 || dims[0] > uint64(lim.total)/uint64(a.elements*e.size) {
		return nil, fmt.Errorf("%s elements, over the limit of %d bytes", product(dims), lim.total)
	}
	a.n = int(dims[0])
	a.perBlock = max(1, arrayBlock/a.size())
	return a, nil
}

// size is that of a record in bytes.
func (a *array) size() int { return a.elements * a.element.size }

// read reads f to its end. Memory is taken as data arrives, whatever the header claims.
func (a *array) read(f *file) error {
	size := a.size()
	if a.space != nil {
		return a.keep(f)
	}
	for at := 0; at < a.n; at += a.perBlock {
		block := make([]byte, min(a.perBlock, a.n-at)*size)
		if n, err := io.ReadFull(f, block); err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = fmt.Errorf("the file ends here: its header announces %d records", a.n)
			}
			return &RecordError{File: f.path, Record: at + n/size + 1, Err: err}
		}
		a.blocks = append(a.blocks, block)
	}
	return a.end(f)
}

// end makes sure that the file ends here.
func (a *array) end(f *file) error {
	if _, err := f.ReadByte(); err == nil {
		return f.fault(fmt.Errorf("there is data after the %d records that the header announces", a.n))
	} else if err != io.EOF {
		return f.fault(err)
	}
	return nil
}

// keep reads f to its end, into a store: of an uncompressed file the records themselves stay where they are.
func (a *array) keep(f *file) error {
	if f.at != nil {
		a.store = a.space.StoreOf(f.at, a.header, a.size())
	} else {
		a.store = a.space.Store(a.size())
	}
	for i := range a.n {
		record, err := a.store.Add()
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(f, record); err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = fmt.Errorf("the file ends here: its header announces %d records", a.n)
			}
			return &RecordError{File: f.path, Record: i + 1, Err: err}
		}
		if err := a.finite(i, record); err != nil {
			return err
		}
	}
	return a.end(f)
}

// with calls f with the bytes of record i, which are valid only in it.
func (a *array) with(i int, f func(record []byte)) error {
	if a.store == nil {
		f(a.record(i))
		return nil
	}
	record, pin, err := a.store.Record(i)
	if err != nil {
		return &RecordError{File: a.path, Record: i + 1, Err: err}
	}
	f(record)
	pin.Release()
	return nil
}

// load brings record i into memory ahead of its use. What goes wrong is told by who uses it.
func (a *array) load(i int) {
	if a.store != nil {
		_ = a.store.Load(i)
	}
}

// turn puts elements that were stored with the first axis fastest into order.
//
//	a[i, j_1, ..., j_d] = stored[i + n*(j_1 + dims_1*(j_2 + ...))]
func (a *array) turn() {
	stored, size := a.blocks, a.element.size
	a.blocks = nil
	for at := 0; at < a.n; at += a.perBlock {
		a.blocks = append(a.blocks, make([]byte, len(stored[len(a.blocks)])))
	}
	place := make([]int, len(a.dims)) // j_1 ... j_d of the column of n elements that comes next
	for k := range a.elements {
		to := 0
		for i, j := range place {
			to = to*a.dims[i] + j
		}
		for i := range a.n {
			from := k*a.n + i
			whole := a.perBlock * a.elements
			b := stored[from/whole]
			copy(a.record(i)[to*size:(to+1)*size], b[from%whole*size:])
		}
		for i := range place {
			if place[i]++; place[i] < a.dims[i] {
				break
			}
			place[i] = 0
		}
	}
}

// product writes dimensions as 60000x28x28.
func product[T any](dims []T) string {
	var b strings.Builder
	for i, d := range dims {
		if i > 0 {
			b.WriteByte('x')
		}
		fmt.Fprint(&b, d)
	}
	return b.String()
}

// record returns the bytes of record i.
func (a *array) record(i int) []byte {
	at := i % a.perBlock * a.size()
	return a.blocks[i/a.perBlock][at : at+a.size()]
}

// number returns the j-th element of a record.
func (a *array) number(record []byte, j int) float64 {
	return a.element.number(record[j*a.element.size:])
}

// checkFinite names the first element that no float32 can hold. Those in a store were looked at on their way there.
func (a *array) checkFinite() error {
	if a.element.integer || a.store != nil {
		return nil
	}
	for i := range a.n {
		if err := a.finite(i, a.record(i)); err != nil {
			return err
		}
	}
	return nil
}

// finite is checkFinite for record i.
func (a *array) finite(i int, record []byte) error {
	if a.element.integer {
		return nil
	}
	for j := range a.elements {
		if x := a.number(record, j); !(math.Abs(x) <= math.MaxFloat32) {
			return &RecordError{File: a.path, Record: i + 1, Err: fmt.Errorf("element %d is %v", j, x)}
		}
	}
	return nil
}
