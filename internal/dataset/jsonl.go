package dataset

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"lockstep/internal/source"
)

// jsonRows are the lines of a file of JSON objects; the first one's keys are the columns. Blank lines are left out.
type jsonRows struct {
	f       *file
	limit   int64
	columns []string
	line    int // from 1
	record  int
	cells   map[string]json.RawMessage
	pending bool // cells are of the first record, which next has not gone to yet
}

func openJSONL(ctx context.Context, src source.Tree, name string, lim limits) (rows, string, error) {
	f, err := openFile(ctx, src, name)
	if err != nil {
		return nil, "", err
	}
	r, err := newJSONRows(f, lim)
	if err != nil {
		f.Close()
		return nil, "", err
	}
	return r, f.path, nil
}

func newJSONRows(f *file, lim limits) (*jsonRows, error) {
	skipMark(f)
	r := &jsonRows{f: f, limit: lim.record}
	text, err := r.read()
	if err == io.EOF {
		return nil, f.fault(errors.New("no records"))
	}
	if err != nil {
		return nil, err
	}
	r.pending = true
	r.columns, err = objectKeys(text)
	return r, err
}

// objectKeys are the keys of an object in the order of the text.
func objectKeys(text []byte) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.Token()
	var keys []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		keys = append(keys, key.(string))
	}
	return keys, nil
}

// read goes to the next line that is not blank.
func (r *jsonRows) read() ([]byte, error) {
	for {
		r.line++
		var text []byte
		for {
			piece, err := r.f.ReadSlice('\n')
			if text = append(text, piece...); int64(len(text)) > r.limit {
				return nil, &RecordError{File: r.f.path, Record: r.record + 1, Line: r.line, Err: errRowTooLong}
			}
			if err == nil || err == io.EOF && len(text) > 0 {
				break
			}
			if err == io.EOF {
				return nil, err
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return nil, &RecordError{File: r.f.path, Record: r.record + 1, Line: r.line, Err: err}
			}
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		r.record++
		r.cells = nil
		if err := json.Unmarshal(text, &r.cells); err != nil || r.cells == nil {
			return nil, &RecordError{File: r.f.path, Record: r.record, Line: r.line, Err: notAnObject(err)}
		}
		return text, nil
	}
}

func notAnObject(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("not JSON, at character %d: %w", syntax.Offset, err)
	}
	return errors.New("not a JSON object: want a line such as {\"size\": 1.5, \"kind\": \"rose\"}")
}

func (r *jsonRows) names() []string { return r.columns }

func (r *jsonRows) next() error {
	if r.pending {
		r.pending = false
		return nil
	}
	_, err := r.read()
	return err
}

// cell is the text of a value, "null" where there is none.
func (r *jsonRows) cell(c int) []byte {
	if v, ok := r.cells[r.columns[c]]; ok {
		return v
	}
	return []byte("null")
}

func (r *jsonRows) text(c int) (string, error) { return jsonText(r.cell(c)) }

// jsonText takes whole numbers as they are written, and others in their shortest form; null is "".
func jsonText(v []byte) (string, error) {
	switch v[0] {
	case 'n':
		return "", nil
	case 't', 'f':
		return string(v), nil
	case '"':
		var s string
		err := json.Unmarshal(v, &s)
		return s, err
	case '[', '{':
		return "", errors.New("is no value of a category")
	default:
		if !bytes.ContainsAny(v, ".eE") {
			return string(v), nil
		}
		x, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return "", errRange
		}
		return strconv.FormatFloat(x, 'f', -1, 64), nil
	}
}

func (r *jsonRows) numbers(c int, dst []float32) ([]float32, []int, error) {
	v := r.cell(c)
	if v[0] == 'n' {
		return dst, nil, errMissing
	}
	return flatten(v, dst)
}

// maxAxes is the number of axes that an array in a cell may have.
const maxAxes = 8

// flatten appends the numbers of a JSON value, array in array, and returns their shape.
func flatten(v []byte, dst []float32) ([]float32, []int, error) {
	var dims []int
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	var at []int    // elements so far, of each array that is open
	shaped := false // the number of axes is known
	for {
		token, err := d.Token()
		if err != nil {
			return dst, nil, err
		}
		switch token {
		case json.Delim('['):
			if at = append(at, 0); len(at) > maxAxes {
				return dst, nil, fmt.Errorf("is an array of more than %d axes", maxAxes)
			}
			if len(at) > len(dims) {
				if shaped {
					return dst, nil, errRagged
				}
				dims = append(dims, math.MaxInt)
			}
			continue
		case json.Delim(']'):
			k := len(at) - 1
			if dims[k] == math.MaxInt {
				dims[k] = at[k]
			}
			if at[k] != dims[k] || at[k] == 0 {
				return dst, nil, errRagged
			}
			at = at[:k]
		default:
			x, err := jsonNumber(token)
			if err != nil {
				return dst, nil, err
			}
			if len(at) != len(dims) {
				return dst, nil, errRagged
			}
			dst, shaped = append(dst, x), true
		}
		if len(at) == 0 {
			return dst, slices.Clone(dims), nil
		}
		at[len(at)-1]++
	}
}

var errRagged = errors.New("is a ragged or empty array: all its rows must have as many numbers")

func jsonNumber(token json.Token) (float32, error) {
	switch v := token.(type) {
	case json.Number:
		return number(v.String())
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case nil:
		return 0, errors.New("has null among its numbers")
	}
	return 0, errors.New("is not a number")
}

func (r *jsonRows) fault(c int, err error) error {
	e := &RecordError{File: r.f.path, Record: r.record, Line: r.line, Err: err}
	if c >= 0 {
		e.Column, e.Value = r.columns[c], string(r.cell(c))
	}
	return e
}

func (r *jsonRows) close() error { return r.f.Close() }
