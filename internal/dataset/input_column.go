package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Numbers is how many numbers a cell of the column has; 0 for a category.
func (c *Column) Numbers() int {
	if c.Type == "category" {
		return 0
	}
	n := 1
	for _, d := range c.Shape {
		n *= d
	}
	return n
}

// channels is how many channels of the preprocessing the numbers of column i have: an array that is alone has those of its
// last axis, otherwise each number is one.
func (i *Info) channels(column int) int {
	c := &i.Columns[column]
	if len(i.Columns) == 1 && len(c.Shape) > 0 {
		dims := channelsLast(c.Shape)
		return dims[len(dims)-1]
	}
	return c.Numbers()
}

// Fitted are center and scale of every channel, as the columns themselves were preprocessed: (x-center)/scale. They are nil if
// none was.
func (i *Info) Fitted() (center, scale []float64, err error) {
	used := false
	for k, c := range i.Columns {
		n := i.channels(k)
		own, extent := slices.Repeat([]float64{c.Center}, n), slices.Repeat([]float64{c.Scale}, n)
		switch {
		case c.Preprocessing == "":
			extent = slices.Repeat([]float64{1}, n)
		case len(c.Shape) > 0 && (len(c.Centers) != n || len(c.Scales) != n):
			return nil, nil, fmt.Errorf("column %q: the model does not say how its arrays were preprocessed: train it again", c.Name)
		case len(c.Shape) > 0:
			own, extent = c.Centers, c.Scales
		}
		used = used || c.Preprocessing != ""
		center, scale = append(center, own...), append(scale, extent...)
	}
	if !used {
		return nil, nil, nil
	}
	return center, scale, nil
}

// numbers appends the numbers of a cell's text: one, or a JSON array of the column's shape.
func (c *Column) numbers(dst []float32, cell string) ([]float32, error) {
	if len(c.Shape) > 0 {
		return c.array(dst, cell)
	}
	if strings.HasPrefix(cell, "[") {
		return dst, errors.New("is an array, the model reads a number")
	}
	x, err := number(cell)
	if err != nil && c.Missing != "" && slices.Contains(absent, cell) {
		x, err = float32(c.Fill), nil
	}
	return append(dst, x), err
}

func (c *Column) array(dst []float32, cell string) ([]float32, error) {
	switch {
	case cell == "":
		return dst, fmt.Errorf("is missing, the model reads %s", cellShape(c.Shape))
	case !json.Valid([]byte(cell)):
		return dst, fmt.Errorf("is not an array such as [1, 2], the model reads %s", cellShape(c.Shape))
	}
	dst, dims, err := flatten([]byte(cell), dst)
	if err == nil && !slices.Equal(dims, c.Shape) {
		err = fmt.Errorf("is %s, the model reads %s", cellShape(dims), cellShape(c.Shape))
	}
	return dst, err
}

// CellText is the text of a cell that has numbers of some shape, as Cells takes it; dims is empty for a single number.
func CellText(numbers []float64, dims []int) string { return string(appendCell(nil, numbers, dims)) }

func appendCell(b []byte, numbers []float64, dims []int) []byte {
	if len(dims) == 0 {
		return strconv.AppendFloat(b, numbers[0], 'g', -1, 64)
	}
	b = append(b, '[')
	for k := range dims[0] {
		if k > 0 {
			b = append(b, ',')
		}
		each := len(numbers) / dims[0]
		b = appendCell(b, numbers[k*each:(k+1)*each], dims[1:])
	}
	return append(b, ']')
}
