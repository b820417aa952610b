package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"lockstep/internal/spec"
)

// column is one column of a table that is read.
type column struct {
	name     string
	category bool
	fit      string // preprocessing of a number: "", standardize or min_max
	missing  string // what a missing cell becomes: "" (an error), mean, median or value
	fill     float64
	id       bool   // of a category: its number instead of a one-hot vector
	bucket   bool   // of a category: values that the first files lack are one more value
	values   values // of a category
	width    int    // numbers in a cell; 0 until the first record
	dims     []int  // of a cell that is an array
}

// The values that stand for missing and for unknown values of a category.
const (
	missingValue = "missing"
	unknownValue = "unknown"
)

// errMissing is a cell without a value.
var errMissing = errors.New("is not a number: the cell is empty")

func newColumn(f spec.Feature) (*column, error) {
	if f.Preprocessing != "" && f.Preprocessing != "standardize" && f.Preprocessing != "min_max" {
		return nil, fmt.Errorf("column %q: preprocessing %q is not supported yet", f.Column, f.Preprocessing)
	}
	return &column{name: f.Column, category: f.Type == "category", fit: f.Preprocessing, missing: f.Missing, fill: f.Fill,
		id: f.Encoding == "id", bucket: f.Unknown == "bucket"}, nil
}

// decode appends a cell's numbers, or the number of its value, to dst.
func (c *column) decode(dst []float32, r rows, place int, lim limits) ([]float32, error) {
	if c.category {
		text, err := r.text(place)
		if err != nil {
			return dst, err
		}
		if text == "" && c.missing == "value" {
			text = missingValue
		}
		i, err := c.values.find(text, lim.values)
		if err != nil && c.bucket && c.values.closed {
			i, err = c.values.number[unknownValue], nil
		}
		return append(dst, float32(i)), err
	}
	before := len(dst)
	dst, dims, err := r.numbers(place, dst)
	if errors.Is(err, errMissing) && c.missing != "" {
		fill := float32(math.NaN()) // until it is known
		if c.missing == "value" {
			fill = float32(c.fill)
		}
		dst, err = append(dst[:before], fill), nil
	}
	if err != nil {
		return dst, err
	}
	if n := len(dst) - before; c.width == 0 {
		c.width, c.dims = n, slices.Clone(dims)
	} else if n != c.width || !slices.Equal(dims, c.dims) {
		return dst, fmt.Errorf("is %s, the first record has %s", cellShape(dims), cellShape(c.dims))
	}
	return dst, nil
}

func cellShape(dims []int) string {
	if len(dims) == 0 {
		return "one number"
	}
	return "an array of " + product(dims) + " numbers"
}

// slots is the number of a row's elements that the column takes.
func (c *column) slots() int {
	if c.category {
		return 1
	}
	return c.width
}

// close settles the values of a category; see values.close.
func (c *column) close() []int {
	if !c.category || c.values.closed {
		return nil
	}
	renumber := c.values.close()
	if _, ok := c.values.number[unknownValue]; c.bucket && !ok {
		c.values = newValues(append(c.values.names, unknownValue))
	}
	return renumber
}

// inputs is the number of a record's inputs that the column makes.
func (c *column) inputs() int {
	if c.category && !c.id {
		return len(c.values.names)
	}
	return c.slots()
}
