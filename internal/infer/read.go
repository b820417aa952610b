package infer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"lockstep/internal/dataset"
)

// maxRecord bounds the text of one record, in bytes.
const maxRecord = 64 << 20

// budget is a reader that may be read up to a limit, which is renewed with each record.
type budget struct {
	r    io.Reader
	left int64
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("a record of more than %d bytes", maxRecord)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// place puts the place of a record to an error.
func place(file string, record, line int, err error) error {
	var r *dataset.RecordError
	if errors.As(err, &r) {
		e := *r
		e.File, e.Record, e.Line = file, record, line
		return &e
	}
	return &dataset.RecordError{File: file, Record: record, Line: line, Err: err}
}

// ReadCSV reads records from a table with a header that names the model's columns, in any order and among others. A model
// whose columns are numbers as "0", "1", ... reads a table without header, of them alone or with more behind; one that
// does not read a table reads rows of its numbers.
// Cells are separated as in training, or by commas where that was by tabs.
func (m *Model) ReadCSV(file string, r io.Reader, emit func(Record) error) error {
	for _, c := range m.bundle.Spec.Spec.Dataset.Delimiter {
		if c != '\t' {
			return m.readRows(file, r, c, emit)
		}
	}
	return m.readRows(file, r, ',', emit)
}

// ReadTSV is ReadCSV for tables whose cells are separated by tabs.
func (m *Model) ReadTSV(file string, r io.Reader, emit func(Record) error) error {
	return m.readRows(file, r, '\t', emit)
}

// ReadParquet reads records from a parquet file, whose columns have the names of the model's.
func (m *Model) ReadParquet(ctx context.Context, file string, emit func(Record) error) error {
	if len(m.Data.Columns) == 0 {
		return fmt.Errorf("%s: the model does not read columns: give its numbers as csv, json or npy", file)
	}
	return m.Input.Parquet(ctx, file, func(cells []string) error {
		rec, err := m.FromCells(cells)
		if err != nil {
			return err
		}
		return emit(rec)
	})
}

func (m *Model) readRows(file string, r io.Reader, delimiter rune, emit func(Record) error) error {
	limit := &budget{r: r, left: maxRecord}
	rows := csv.NewReader(bufio.NewReader(limit))
	rows.Comma = delimiter
	rows.FieldsPerRecord, rows.ReuseRecord = -1, true
	var places []int
	cells := make([]string, len(m.Data.Columns))
	header := m.headed()
	for record := 0; ; record++ {
		limit.left = maxRecord
		row, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		line := 0
		if err == nil {
			line, _ = rows.FieldPos(0)
		}
		if err == nil && record == 0 {
			if places, err = m.places(row, header); err == nil && header {
				continue
			}
		}
		if header && err != nil && record == 0 {
			return &dataset.RecordError{File: file, Line: 1, Err: err}
		}
		var rec Record
		if err == nil {
			rec, err = m.row(row, places, cells)
		}
		if err != nil {
			return place(file, record+1-btoi(header), line, err)
		}
		if err := emit(rec); err != nil {
			return err
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// headed tells whether tables of the model's columns have a header.
func (m *Model) headed() bool {
	h := m.bundle.Spec.Spec.Dataset.Header
	return len(m.Data.Columns) > 0 && (h == nil || *h)
}

// places finds the model's columns in the first row.
func (m *Model) places(row []string, header bool) ([]int, error) {
	at := map[string]int{}
	for i, name := range row {
		if !header {
			name = fmt.Sprint(i)
		}
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		if _, twice := at[name]; twice {
			return nil, fmt.Errorf("two columns are named %q", name)
		}
		at[name] = i
	}
	var places []int
	for _, c := range m.Data.Columns {
		i, ok := at[c.Name]
		if !ok {
			return nil, fmt.Errorf("no column %q, which the model reads", c.Name)
		}
		places = append(places, i)
	}
	return places, nil
}

func (m *Model) row(row []string, places []int, cells []string) (Record, error) {
	if len(m.Data.Columns) == 0 {
		return m.flatRow(row)
	}
	for k, i := range places {
		if i >= len(row) {
			return Record{}, fmt.Errorf("%d cells: there is none for column %q", len(row), m.Data.Columns[k].Name)
		}
		cells[k] = row[i]
	}
	return m.FromCells(cells)
}

// FromCells makes a record of the text of each of the model's columns.
func (m *Model) FromCells(cells []string) (Record, error) {
	x, err := m.Input.Cells(nil, cells)
	if err != nil || !m.Data.Integer {
		return Record{X: x}, err
	}
	ids := make([]int32, len(x))
	for i, v := range x {
		ids[i] = int32(v)
	}
	return Record{IDs: ids}, nil
}

// flatRow is a record whose numbers are a row.
func (m *Model) flatRow(row []string) (Record, error) {
	raw := make([]float64, len(row))
	for i, cell := range row {
		if err := json.Unmarshal([]byte(strings.TrimSpace(cell)), &raw[i]); err != nil {
			return Record{}, fmt.Errorf("cell %d: %q is not a number", i+1, cell)
		}
	}
	return m.FromNumbers(raw)
}

// FromNumbers makes a record of its numbers, or token ids.
func (m *Model) FromNumbers(raw []float64) (Record, error) {
	if m.Data.Integer {
		if len(raw) != m.Input.Width() {
			return Record{}, fmt.Errorf("%d token ids, want %d", len(raw), m.Input.Width())
		}
		ids, err := m.Input.IDs(nil, raw)
		return Record{IDs: ids}, err
	}
	x, err := m.Input.Numbers(nil, raw)
	return Record{X: x}, err
}

// ReadJSON reads records from a JSON array, or one after the other. A record is an object with the model's columns, an
// array (nested as its shape is, or flat) of its numbers or token ids, or a text.
func (m *Model) ReadJSON(file string, r io.Reader, emit func(Record) error) error {
	limit := &budget{r: r, left: maxRecord}
	text := bufio.NewReader(limit)
	dec := json.NewDecoder(text)
	array, err := m.inArray(text)
	if err != nil {
		return &dataset.RecordError{File: file, Err: err}
	}
	if array {
		if _, err := dec.Token(); err != nil {
			return &dataset.RecordError{File: file, Err: err}
		}
	}
	record := 0
	for array && dec.More() || !array {
		limit.left = maxRecord
		record++
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if err == io.EOF && !array {
			return nil
		}
		var rec Record
		if err == nil {
			rec, err = m.FromJSON(raw)
		}
		if err != nil {
			return place(file, record, 0, err)
		}
		if err := emit(rec); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return place(file, record, 0, fmt.Errorf("the array is not closed: %w", err))
	}
	return nil
}

// inArray tells by how the text begins whether records stand in an array: as many brackets as a record has axes begin
// one record, more of them an array.
func (m *Model) inArray(r *bufio.Reader) (bool, error) {
	rank, depth := max(1, len(m.InputShape())), 0
	for n := 1; n <= r.Size(); n++ {
		b, err := r.Peek(n)
		if err != nil && err != io.EOF {
			return false, err
		}
		if len(b) < n {
			return false, nil
		}
		switch c := b[n-1]; c {
		case ' ', '\t', '\r', '\n':
		case '[':
			depth++
		case '{', '"':
			return depth == 1, nil
		default:
			return depth > rank || depth == 2 && rank > 2, nil // or of flat records
		}
	}
	return depth > rank, nil
}

// FromJSON makes a record of its JSON value.
func (m *Model) FromJSON(raw json.RawMessage) (Record, error) {
	switch s := bytes.TrimLeft(raw, " \t\r\n"); {
	case len(s) > 0 && s[0] == '{':
		return m.fromObject(raw)
	case len(s) > 0 && s[0] == '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return Record{}, err
		}
		return m.FromText(text)
	}
	numbers, err := flatten(raw, m.Input.Width())
	if err != nil {
		return Record{}, err
	}
	return m.FromNumbers(numbers)
}

// FromText makes a record of its text, which has to have as many tokens as the model reads.
func (m *Model) FromText(text string) (Record, error) {
	ids, err := m.Input.Tokens(nil, text)
	if err == nil && len(ids) != m.Input.Width() {
		err = fmt.Errorf("%d tokens, want %d", len(ids), m.Input.Width())
	}
	return Record{IDs: ids}, err
}

// fromObject makes a record of its columns by name.
func (m *Model) fromObject(raw json.RawMessage) (Record, error) {
	if len(m.Data.Columns) == 0 {
		return Record{}, errors.New("an object, but the model does not read columns: give an array")
	}
	cells, err := m.Input.Object(raw)
	if err != nil {
		return Record{}, err
	}
	return m.FromCells(cells)
}

// flatten reads a number or nested arrays of numbers, of which there may be at most limit.
func flatten(raw json.RawMessage, limit int) ([]float64, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	var out []float64
	for {
		t, err := dec.Token()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case float64:
			if out = append(out, t); len(out) > limit {
				return nil, fmt.Errorf("more than %d numbers", limit)
			}
		case json.Delim:
			if t == '{' {
				return nil, errors.New("an object among numbers")
			}
		default:
			return nil, fmt.Errorf("%v is not a number", t)
		}
	}
}
