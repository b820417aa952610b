package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"lockstep/internal/source"
)

// parquetRows are the rows of a parquet file. A column is a leaf of the schema; one that is a list, or a list of lists,
// is an array.
type parquetRows struct {
	source.File
	groups  []parquet.RowGroup // that are still to be read
	chunks  []format.RowGroup  // where their pages lie
	pages   *pageCheck
	rows    parquet.Rows // of the group being read; nil before the first
	columns []parquetColumn
	buffer  []parquet.Row
	ahead   []parquet.Row     // of the buffer, still to be gone to
	cells   [][]parquet.Value // of the row, by column
	record  int
}

type parquetColumn struct {
	name     string
	axes     int // lists around a value
	unsigned bool
	half     bool
	decimal  bool
}

// parquetBatch is the number of rows that are read together.
const parquetBatch = 64

func openParquet(ctx context.Context, src source.Tree, name string, lim limits) (_ rows, path string, err error) {
	f, err := src.Open(ctx, name)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	r := &parquetRows{File: f, buffer: make([]parquet.Row, parquetBatch)}
	return r, f.Name(), r.guard(func() error { return r.open(lim) })
}

// guard calls what decodes bytes from outside: the library panics on some that are damaged.
func (r *parquetRows) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &RecordError{File: r.Name(), Record: r.record, Err: fmt.Errorf("damaged parquet file: %v", p)}
		}
	}()
	return f()
}

func (r *parquetRows) open(lim limits) error {
	bad := func(err error) error { return &RecordError{File: r.Name(), Err: err} }
	end, err := checkFooter(r.File, r.Size())
	if err != nil {
		return bad(fmt.Errorf("not a parquet file, or a truncated one: %w", err))
	}
	file, err := parquet.OpenFile(r.File, r.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return bad(fmt.Errorf("not a parquet file, or a truncated one: %w", err))
	}
	if file.NumRows() == 0 {
		return bad(errors.New("no records"))
	}
	if file.NumRows() < 0 || file.NumRows() > math.MaxInt32 {
		return bad(fmt.Errorf("%d records, over the limit of %d", file.NumRows(), math.MaxInt32))
	}
	total := int64(0)
	for _, g := range file.Metadata().RowGroups {
		for _, c := range g.Columns {
			if n := c.MetaData.TotalUncompressedSize; n < 0 || n > lim.total-total {
				return bad(fmt.Errorf("its columns take more than %d bytes", lim.total))
			} else {
				total += n
			}
		}
	}
	if isBomb(total, r.Size()) {
		return bad(fmt.Errorf("%d bytes would become %d: this looks like a bomb", r.Size(), total))
	}
	r.groups, r.chunks, r.pages = file.RowGroups(), file.Metadata().RowGroups, newPageCheck(file, r.File, end, lim)
	paths := file.Schema().Columns()
	if len(paths) > lim.values {
		return bad(fmt.Errorf("%d columns, over the limit of %d", len(paths), lim.values))
	}
	for _, path := range paths {
		leaf, _ := file.Schema().Lookup(path...)
		c := parquetColumn{name: columnName(path), axes: leaf.MaxRepetitionLevel}
		if t := leaf.Node.Type().LogicalType(); t != nil {
			switch v := t.Value.(type) {
			case *format.IntType:
				c.unsigned = !v.IsSigned
			case *format.Float16Type:
				c.half = true
			case *format.DecimalType:
				c.decimal = true
			}
		}
		r.columns = append(r.columns, c)
	}
	r.cells = make([][]parquet.Value, len(r.columns))
	return nil
}

// columnName leaves out the names that lists have by convention.
func columnName(path []string) string {
	name := path[:1:1]
	for i := 1; i < len(path); i++ {
		if i+1 < len(path) && path[i] == "list" && slices.Contains([]string{"element", "item", "array"}, path[i+1]) {
			i++
			continue
		}
		name = append(name, path[i])
	}
	return strings.Join(name, ".")
}

func (r *parquetRows) names() []string {
	var names []string
	for _, c := range r.columns {
		names = append(names, c.name)
	}
	return names
}

func (r *parquetRows) next() error { return r.guard(r.advance) }

func (r *parquetRows) advance() error {
	for len(r.ahead) == 0 {
		if r.rows == nil {
			if len(r.groups) == 0 {
				return io.EOF
			}
			if err := r.pages.group(&r.chunks[0]); err != nil {
				return &RecordError{File: r.Name(), Err: err}
			}
			r.rows, r.groups, r.chunks = r.groups[0].Rows(), r.groups[1:], r.chunks[1:]
		}
		n, err := r.rows.ReadRows(r.buffer)
		r.ahead = r.buffer[:n]
		if err == io.EOF || err == nil && n == 0 {
			err = r.rows.Close()
			r.rows = nil
		}
		if err != nil {
			return &RecordError{File: r.Name(), Record: r.record + n + 1, Err: err}
		}
	}
	row := r.ahead[0]
	r.ahead = r.ahead[1:]
	r.record++
	clear(r.cells)
	for c, values := range row.Range {
		if c >= 0 && c < len(r.cells) {
			r.cells[c] = values
		}
	}
	return nil
}

func (r *parquetRows) missing(c int) bool {
	v := r.cells[c]
	return len(v) == 0 || len(v) == 1 && v[0].IsNull()
}

func (r *parquetRows) text(c int) (string, error) {
	if r.missing(c) {
		return "", nil
	}
	v := r.cells[c][0]
	switch v.Kind() {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		if !r.columns[c].half && r.columns[c].axes == 0 {
			return string(v.ByteArray()), nil
		}
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean()), nil
	}
	if r.columns[c].axes > 0 {
		return "", errors.New("is no value of a category")
	}
	x, err := r.columns[c].number(v)
	return strconv.FormatFloat(x, 'f', -1, 64), err
}

func (r *parquetRows) numbers(c int, dst []float32) ([]float32, []int, error) {
	if r.missing(c) {
		return dst, nil, errMissing
	}
	values := r.cells[c]
	dims, err := arrayShape(values, r.columns[c].axes)
	if err != nil {
		return dst, nil, err
	}
	for _, v := range values {
		if v.IsNull() {
			return dst, nil, errors.New("has null among its numbers")
		}
		x, err := r.columns[c].number(v)
		if err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
			if err = errors.New("is not a finite number"); math.IsNaN(x) && len(dims) == 0 {
				err = &missingError{err}
			}
		}
		if err != nil {
			return dst, nil, err
		}
		f, err := rounded(x)
		if err != nil {
			return dst, nil, err
		}
		dst = append(dst, f)
	}
	return dst, dims, nil
}

// arrayShape follows from the repetition levels: at level k a new element of axis k begins, counted from 1.
func arrayShape(values []parquet.Value, axes int) ([]int, error) {
	if axes == 0 {
		return nil, nil
	}
	if axes > maxAxes {
		return nil, fmt.Errorf("is an array of more than %d axes", maxAxes)
	}
	dims, before := make([]int, axes), 1
	for k := range axes {
		n := 0
		for _, v := range values {
			if v.RepetitionLevel() <= k+1 {
				n++
			}
		}
		if n%before != 0 {
			return nil, errRagged
		}
		dims[k], before = n/before, n
	}
	for i, v := range values {
		stride := 1
		for k := axes - 1; k >= 0; k-- {
			stride *= dims[k]
			if (v.RepetitionLevel() <= k) != (i%stride == 0) {
				return nil, errRagged
			}
		}
	}
	return dims, nil
}

func (c *parquetColumn) number(v parquet.Value) (float64, error) {
	if c.decimal {
		return 0, errors.New("is a decimal: store it as a double")
	}
	switch v.Kind() {
	case parquet.Boolean:
		if v.Boolean() {
			return 1, nil
		}
		return 0, nil
	case parquet.Int32:
		if c.unsigned {
			return float64(v.Uint32()), nil
		}
		return float64(v.Int32()), nil
	case parquet.Int64:
		if c.unsigned {
			return float64(v.Uint64()), nil
		}
		return float64(v.Int64()), nil
	case parquet.Float:
		return float64(v.Float()), nil
	case parquet.Double:
		return v.Double(), nil
	case parquet.FixedLenByteArray:
		if b := v.ByteArray(); c.half && len(b) == 2 {
			return half(uint16(b[0]) | uint16(b[1])<<8), nil
		}
	}
	return 0, errors.New("is not a number")
}

func (r *parquetRows) fault(c int, err error) error {
	e := &RecordError{File: r.Name(), Record: r.record, Err: err}
	if c >= 0 {
		if e.Column = r.columns[c].name; len(r.cells[c]) > 0 {
			e.Value = r.cells[c][0].String()
		}
	}
	return e
}

func (r *parquetRows) close() error {
	var err error
	if r.rows != nil {
		err = r.guard(r.rows.Close)
	}
	return errors.Join(err, r.File.Close())
}
