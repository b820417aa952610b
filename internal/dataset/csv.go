package dataset

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// csvRows are the rows of a csv file. Without a header the columns are called "0", "1" and so on.
type csvRows struct {
	*rowReader
	columns []string
	cells   []string
	pending bool // cells are of the first row, which next has not gone to yet
}

func openCSV(ctx context.Context, src source.Tree, name string, lim limits, d *spec.Dataset) (rows, string, error) {
	f, err := openFile(ctx, src, name)
	if err != nil {
		return nil, "", err
	}
	delimiter := ','
	for _, c := range d.Delimiter {
		delimiter = c
	}
	r, err := newCSVRows(f, lim, delimiter, d.Header == nil || *d.Header)
	if err != nil {
		f.Close()
		return nil, "", err
	}
	return r, f.path, nil
}

func newCSVRows(f *file, lim limits, delimiter rune, header bool) (*csvRows, error) {
	r := &csvRows{rowReader: newRowReader(f, lim.record, delimiter)}
	cells, err := r.row()
	if err == io.EOF {
		return nil, f.fault(errors.New("no records"))
	}
	if err != nil {
		return nil, err
	}
	r.cells, r.pending = cells, !header
	for i, cell := range cells {
		if !header {
			cell = strconv.Itoa(i)
		}
		r.columns = append(r.columns, strings.Clone(cell))
	}
	return r, nil
}

func (r *csvRows) names() []string { return r.columns }

func (r *csvRows) next() error {
	if r.pending {
		r.pending = false
		r.rows++
		return nil
	}
	var err error
	if r.cells, err = r.row(); err == nil {
		r.rows++
	}
	return err
}

func (r *csvRows) text(c int) (string, error) { return r.cells[c], nil }

// absent are the words that tables have in place of a missing number.
var absent = []string{"", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "?"}

func (r *csvRows) numbers(c int, dst []float32) ([]float32, []int, error) {
	v, err := number(r.cells[c])
	if err != nil && slices.Contains(absent, r.cells[c]) {
		err = &missingError{err}
	}
	return append(dst, v), nil, err
}

// missingError says in its own words that a cell is missing.
type missingError struct{ error }

func (e *missingError) Is(target error) bool { return target == errMissing }

func (r *csvRows) fault(c int, err error) error {
	e := r.rowReader.fault(err)
	e.Record = r.rows
	if c >= 0 {
		e.Column, e.Value = r.columns[c], strings.Clone(r.cells[c])
		e.Line, _ = r.FieldPos(c)
	}
	return e
}

func (r *csvRows) close() error { return r.file.Close() }
