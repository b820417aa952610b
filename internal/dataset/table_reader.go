package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// rows are a table's records as a file holds them, one at a time.
type rows interface {
	names() []string // of the columns
	next() error     // goes to the next record; io.EOF after the last one
	text(c int) (string, error)
	// numbers appends those of a cell of column c to dst. dims is the shape of a cell that is an array. A cell without a
	// value is errMissing.
	numbers(c int, dst []float32) (_ []float32, dims []int, _ error)
	fault(c int, err error) error // puts the place of the record, and of a cell unless c is negative, to an error
	close() error
}

// tableReader reads the files of a csv, jsonl or parquet dataset. The first ones settle the columns, the classes and the
// values of categories; those after it have to fit.
type tableReader struct {
	format   string
	lim      limits
	open     func(ctx context.Context, name string) (rows, string, error) // also returns the file's path
	features []*column                                                    // in the order of the input; nil until settled
	target   *column                                                      // nil: a record is its own target
}

func newTableReader(src source.Tree, lim limits, d *spec.Dataset) (*tableReader, error) {
	r := &tableReader{format: d.Format, lim: lim}
	switch d.Format {
	case "csv":
		r.open = func(ctx context.Context, name string) (rows, string, error) { return openCSV(ctx, src, name, lim, d) }
	case "jsonl":
		r.open = func(ctx context.Context, name string) (rows, string, error) { return openJSONL(ctx, src, name, lim) }
	default:
		r.open = func(ctx context.Context, name string) (rows, string, error) { return openParquet(ctx, src, name, lim) }
	}
	if t := d.Target; t != nil {
		r.target = &column{name: t.Column, category: t.Type == "category"}
		if len(t.Classes) > 0 {
			r.target.values = newValues(t.Classes)
		}
	}
	for _, f := range d.Features {
		c, err := newColumn(f)
		if err != nil {
			return nil, err
		}
		if c.id != (d.Features[0].Encoding == "id") {
			return nil, fmt.Errorf("column %q: encoding id is for all features or none: a model reads ids or numbers", f.Column)
		}
		r.features = append(r.features, c)
	}
	return r, nil
}

func (r *tableReader) read(ctx context.Context, _ string, files spec.Files) (*part, error) {
	if files.Images != "" || files.Labels != "" {
		return nil, fmt.Errorf(`a %s dataset names its file as "file", not as "images" and "labels"`, r.format)
	}
	in, path, err := r.open(ctx, files.File)
	if err != nil {
		return nil, err
	}
	defer in.close()
	t, err := r.table(in, path)
	if err != nil {
		return nil, err
	}
	return t.part(r)
}

// table reads a file to its end.
func (r *tableReader) table(in rows, path string) (*table, error) {
	places, err := r.settle(path, in.names())
	if err != nil {
		return nil, err
	}
	var t *table
	var row []float32
	for err = in.next(); err == nil; err = in.next() {
		if row, err = r.decode(row[:0], in, places); err != nil {
			return nil, err
		}
		n := len(row) - r.targetWidth()
		if t == nil {
			if int64(len(row)) > r.lim.record/4 {
				return nil, in.fault(-1, fmt.Errorf("a record of %d numbers, over the limit of %d", len(row), r.lim.record/4))
			}
			t = newTable(path, n, r.lim)
		}
		if t.n++; int64(t.n) > r.lim.total/int64(4*(n+1)) || t.n > math.MaxInt32 {
			return nil, in.fault(-1, fmt.Errorf("more than %d bytes of records", r.lim.total))
		}
		if err := t.add(row[:n]); err != nil {
			return nil, err
		}
		t.target = append(t.target, row[n:]...)
	}
	if err != io.EOF {
		return nil, err
	}
	if t == nil {
		return nil, &RecordError{File: path, Err: errors.New("no records after the header")}
	}
	return t, r.close(t)
}

func (r *tableReader) targetWidth() int {
	if r.target == nil {
		return 0
	}
	return r.target.slots()
}

// decode appends a record's features, then its target.
func (r *tableReader) decode(dst []float32, in rows, places []int) ([]float32, error) {
	var err error
	for i, c := range r.features {
		if dst, err = c.decode(dst, in, places[i], r.lim); err != nil {
			return nil, in.fault(places[i], err)
		}
	}
	if r.target != nil {
		if dst, err = r.target.decode(dst, in, places[len(r.features)], r.lim); err != nil {
			return nil, in.fault(places[len(r.features)], err)
		}
	}
	return dst, nil
}

// settle finds the places of the columns that are read; the target's comes last. Unless features are listed, all
// columns but the target are features, and are from then on.
func (r *tableReader) settle(path string, names []string) ([]int, error) {
	place := make(map[string]int, len(names))
	for i, name := range names {
		if j, twice := place[name]; twice {
			return nil, &RecordError{File: path, Line: 1, Err: fmt.Errorf("columns %d and %d are both named %q; if there is no header, say header: false", j+1, i+1, name)}
		}
		place[name] = i
	}
	if r.features == nil {
		for _, name := range names {
			if r.target == nil || name != r.target.name {
				r.features = append(r.features, &column{name: name})
			}
		}
	}
	columns := r.features
	if r.target != nil {
		columns = append(slices.Clone(columns), r.target)
	}
	if len(r.features) == 0 || len(columns) > r.lim.values {
		return nil, &RecordError{File: path, Line: 1, Err: fmt.Errorf("%d columns to read, want 1 to %d", len(r.features), r.lim.values)}
	}
	places := make([]int, len(columns))
	for i, c := range columns {
		at, ok := place[c.name]
		if !ok {
			return nil, &RecordError{File: path, Err: fmt.Errorf("no column %q; there are %s", c.name, listed(names))}
		}
		places[i] = at
	}
	return places, nil
}

// listed quotes the first few names.
func listed(names []string) string {
	const most = 12
	var b strings.Builder
	for i, name := range names[:min(len(names), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(excerpt(name))
	}
	if len(names) > most {
		fmt.Fprintf(&b, " and %d more", len(names)-most)
	}
	return b.String()
}
