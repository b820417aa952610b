package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Input makes what a model reads of new records, by what was settled when its dataset was opened: the same numbers as the
// dataset made. It does not change, and is safe for concurrent use.
type Input struct {
	info     Info
	steps    steps
	values   []values         // of each column; only categories have any
	ids      map[string]int32 // of the tokens; nil: bytes, or merges of them
	bpe      *bpe
	width    int
	channels int // of the preprocessing, at least 1
}

// NewInput prepares the inputs of models that were trained on the described dataset.
func NewInput(info Info) (*Input, error) {
	in := &Input{info: info, width: 1, values: make([]values, len(info.Columns))}
	for _, d := range info.Shape {
		in.width *= d
	}
	if info.Integer && len(info.Columns) == 0 {
		in.tokens()
		return in, nil
	}
	in.channels = 1
	if n := len(info.Shape); n > 0 {
		in.channels = info.Shape[n-1]
	}
	var first steps
	var err error
	if len(info.Columns) > 0 {
		if first, err = in.columns(); err != nil {
			return nil, err
		}
	}
	s := sample{channels: in.channels, records: func(func([]float64) bool) {}} // everything is fitted
	in.steps, _, err = s.fit(first, info.Preprocessing)
	return in, err
}

// columns settles what the columns themselves are: their values, widths, and their own step.
func (in *Input) columns() (steps, error) {
	in.width, in.channels = 0, 0
	for i, c := range in.info.Columns {
		if c.Type == "category" {
			in.values[i] = newValues(c.Values)
		}
		switch {
		case c.Type != "category":
			in.width += c.Numbers()
		case c.Encoding == "id":
			in.width++
		default:
			in.width += len(c.Values)
		}
		in.channels += in.info.channels(i)
	}
	in.channels = max(1, in.channels)
	center, scale, err := in.info.Fitted()
	if err != nil || center == nil {
		return nil, err
	}
	return steps{{a: center, b: scale}}, nil
}

func (in *Input) tokens() {
	in.bpe = newBPE(in.info.Merges)
	if in.info.Classes == nil {
		return
	}
	in.ids = make(map[string]int32, len(in.info.Classes))
	for i, name := range in.info.Classes {
		in.ids[name] = int32(i)
	}
}

// Width is the number of values, or token ids, of one record.
func (in *Input) Width() int { return in.width }

// Cells appends the input of a row to dst, given the text of each column of Info.Columns; where Info.Integer is set the
// values are ids. An error is a *RecordError with column and value.
func (in *Input) Cells(dst []float32, cells []string) ([]float32, error) {
	if len(cells) != len(in.info.Columns) {
		return dst, fmt.Errorf("%d cells, want %d", len(cells), len(in.info.Columns))
	}
	k, before := 0, 0 // numbers so far, and ids of columns
	for i, c := range in.info.Columns {
		cell := strings.TrimSpace(cells[i])
		fault := func(err error) error { return &RecordError{Column: c.Name, Value: cell, Err: err} }
		if c.Type == "category" {
			at, err := in.category(i, cell)
			if err != nil {
				return dst, fault(err)
			}
			if c.Encoding == "id" {
				dst = append(dst, float32(before+at))
				before += len(c.Values)
				continue
			}
			dst = append(dst, make([]float32, len(c.Values))...)
			dst[len(dst)-len(c.Values)+at] = 1
			continue
		}
		first := len(dst)
		var err error
		if dst, err = c.numbers(dst, cell); err != nil {
			return dst, fault(err)
		}
		for j := first; j < len(dst); j++ {
			dst[j] = float32(in.steps.apply(float64(dst[j]), k%in.channels))
			k++
		}
	}
	return dst, nil
}

// category is the number of a value of column i.
func (in *Input) category(i int, cell string) (int, error) {
	c, v := &in.info.Columns[i], &in.values[i]
	if cell == "" && c.Missing == "value" {
		cell = missingValue
	}
	at, err := v.find(cell, len(c.Values))
	if other, ok := v.number[unknownValue]; err != nil && ok && c.Unknown == "bucket" {
		return other, nil
	}
	return at, err
}

// Numbers appends the input of a record given as numbers, in the order of Info.Shape. A table with categories has no such
// form: see Cells.
func (in *Input) Numbers(dst []float32, raw []float64) ([]float32, error) {
	switch {
	case in.info.Integer:
		return dst, errors.New("it reads token ids, not numbers")
	case slices.ContainsFunc(in.info.Columns, func(c Column) bool { return c.Type == "category" }):
		return dst, errors.New("it reads categories: give each column by its name")
	case len(raw) != in.width:
		return dst, fmt.Errorf("%d numbers, want %d", len(raw), in.width)
	}
	for i, x := range raw {
		if !(math.Abs(x) <= math.MaxFloat32) {
			return dst, fmt.Errorf("number %d is %v, want a finite number of the range of float32", i, x)
		}
		dst = append(dst, float32(in.steps.apply(float64(float32(x)), i%in.channels)))
	}
	return dst, nil
}

// Tokens appends the ids of a text's tokens.
func (in *Input) Tokens(dst []int32, text string) ([]int32, error) {
	if !in.info.Integer {
		return dst, errors.New("it reads numbers, not text")
	}
	if len(in.info.Columns) > 0 {
		return dst, errors.New("it reads categories by their ids, not text")
	}
	if in.ids == nil {
		return in.bpe.encode(dst, []byte(text)), nil
	}
	line := 1
	for _, r := range text {
		id, ok := in.ids[string(r)]
		if !ok {
			return dst, &RecordError{File: "text", Line: line, Err: fmt.Errorf("the character %q is not in the model's vocabulary", r)}
		}
		dst = append(dst, id)
		if r == '\n' {
			line++
		}
	}
	return dst, nil
}

// IDs appends token ids, which have to be in the vocabulary.
func (in *Input) IDs(dst []int32, raw []float64) ([]int32, error) {
	if !in.info.Integer {
		return dst, errors.New("it reads numbers, not token ids")
	}
	for i, x := range raw {
		if x != math.Trunc(x) || x < 0 || x >= float64(in.info.Vocab) {
			return dst, fmt.Errorf("token %d is %v, want an id from 0 to %d", i, x, in.info.Vocab-1)
		}
		dst = append(dst, int32(x))
	}
	return dst, nil
}

// Text is what token ids stand for.
func (in *Input) Text(ids []int32) string {
	var b []byte
	for _, id := range ids {
		if in.ids == nil {
			b = in.bpe.appendToken(b, id)
		} else {
			b = append(b, in.info.Classes[id]...)
		}
	}
	return string(b)
}

// ColumnNames are the names of the columns, nil if the data is not a table.
func (in *Input) ColumnNames() []string {
	var names []string
	for _, c := range in.info.Columns {
		names = append(names, c.Name)
	}
	return slices.Clip(names)
}
