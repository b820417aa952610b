package dataset

import (
	"encoding/binary"
	"math"

	"lockstep/internal/dataset/blocks"
)

// table is a decoded table: numbers as they are, categories as the number of their value.
type table struct {
	path    string
	n       int // rows
	columns int // elements of a row
	store   *blocks.Store
	target  []float32 // of all rows; nil without a target
}

// tableRow is a row as it is kept: float32, little-endian.
type tableRow []byte

func (r tableRow) at(j int) float32     { return math.Float32frombits(binary.LittleEndian.Uint32(r[4*j:])) }
func (r tableRow) set(j int, v float32) { binary.LittleEndian.PutUint32(r[4*j:], math.Float32bits(v)) }

func newTable(path string, columns int, lim limits) *table {
	return &table{path: path, columns: columns, store: lim.store(4 * columns)}
}

// add appends a row.
func (t *table) add(row []float32) error {
	to, err := t.store.Add()
	if err != nil {
		return &RecordError{File: t.path, Err: err}
	}
	for j, v := range row {
		tableRow(to).set(j, v)
	}
	return nil
}

// with calls f with row i, which is valid only in it.
func (t *table) with(i int, f func(r tableRow)) error {
	row, pin, err := t.store.Record(i)
	if err != nil {
		return &RecordError{File: t.path, Record: i + 1, Err: err}
	}
	f(row)
	pin.Release()
	return nil
}

// update calls f with every row, to change it.
func (t *table) update(f func(r tableRow)) error {
	if err := t.store.Update(func(_ int, r []byte) { f(r) }); err != nil {
		return &RecordError{File: t.path, Err: err}
	}
	return nil
}

// load brings row i into memory ahead of its use. What goes wrong is told by who uses it.
func (t *table) load(i int) { _ = t.store.Load(i) }

// close settles the values of all categories, in the reader and in the table from which they were collected.
func (r *tableReader) close(t *table) error {
	slot := 0
	for _, c := range r.features {
		if renumber := c.close(); renumber != nil {
			if err := t.update(func(r tableRow) { r.set(slot, float32(renumber[int(r.at(slot))])) }); err != nil {
				return err
			}
		}
		slot += c.slots()
	}
	if r.target == nil {
		return nil
	}
	if renumber := r.target.close(); renumber != nil {
		for i, v := range t.target {
			t.target[i] = float32(renumber[int(v)])
		}
	}
	return nil
}
