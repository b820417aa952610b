package dataset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// rowReader yields the rows of a csv file: cells without the blanks around them, blank lines left out.
type rowReader struct {
	*csv.Reader
	file   *file
	budget budget
	limit  int64
	width  int // cells of each row; 0 before the first
	rows   int // data rows so far
}

// budget is a reader that may be read up to a limit, which is renewed with each row: no row can fill the memory.
type budget struct {
	r    io.Reader
	left int64
}

var errRowTooLong = errors.New("the row is over the limit")

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRowTooLong
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func newRowReader(f *file, limit int64, delimiter rune) *rowReader {
	skipMark(f)
	r := &rowReader{file: f, budget: budget{r: f.Reader}, limit: limit}
	r.Reader = csv.NewReader(bufio.NewReader(&r.budget))
	r.FieldsPerRecord = -1 // checked here
	r.ReuseRecord = true
	r.Comma = delimiter
	return r
}

// row returns the next row, valid until the call after, or io.EOF.
func (r *rowReader) row() ([]string, error) {
	r.budget.left = r.limit
	cells, err := r.Read()
	if err == io.EOF {
		return nil, err
	}
	if err != nil {
		e := &RecordError{File: r.file.path, Record: r.rows + 1, Err: err}
		var p *csv.ParseError
		if errors.As(err, &p) {
			e.Line, e.Err = p.Line, p.Err
		}
		return nil, e
	}
	if r.width == 0 {
		r.width = len(cells)
	} else if len(cells) != r.width {
		return nil, r.fault(fmt.Errorf("%d cells, want %d", len(cells), r.width))
	}
	for i, c := range cells {
		cells[i] = strings.TrimSpace(c)
	}
	return cells, nil
}

// fault puts the place of the last row to an error.
func (r *rowReader) fault(err error) *RecordError {
	line, _ := r.FieldPos(0)
	return &RecordError{File: r.file.path, Record: r.rows + 1, Line: line, Err: err}
}

// number reads a decimal number that a float32 can hold.
func number(cell string) (float32, error) {
	if n, ok := digits(cell); ok {
		return n, nil
	}
	if cell == "" {
		return 0, errMissing
	}
	v, err := strconv.ParseFloat(cell, 64) // as other programs read it; rounded once more below
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errRange
	case err != nil || strings.ContainsAny(cell, "xX"): // strconv's hexadecimal numbers
		return 0, errors.New("is not a number")
	case math.IsNaN(v) || math.IsInf(v, 0):
		return 0, errors.New("is not a finite number")
	}
	return rounded(v)
}

var errRange = errors.New("is out of the range of float32")

// rounded is a finite number as a float32.
func rounded(v float64) (float32, error) {
	if x := float32(v); !math.IsInf(float64(x), 0) {
		return x, nil
	}
	return 0, errRange
}

// digits reads up to 7 digits, which a float32 holds exactly: the usual cell of an image as a table.
func digits(cell string) (float32, bool) {
	if len(cell) == 0 || len(cell) > 7 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(cell) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return float32(n), true
}
