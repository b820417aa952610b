package export

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// metadataKey is the one header key that does not name a tensor.
const metadataKey = "__metadata__"

// Tensor is a named array of float32 in row-major order. len(Data) is the product of Shape; a scalar has no
// dimensions and one element.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// check says what is wrong with t on its own.
func (t *Tensor) check() error {
	if err := checkName(t.Name); err != nil {
		return err
	}
	n, err := elements(t.Shape)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if n != int64(len(t.Data)) {
		return fmt.Errorf("tensor %q: shape %v has %d elements, data has %d", t.Name, t.Shape, n, len(t.Data))
	}
	return nil
}

// checkName admits what every reader of the format agrees on: text without control characters.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("tensor without a name")
	case name == metadataKey:
		return fmt.Errorf("tensor name %q is reserved", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("tensor name %q is not UTF-8", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("tensor name %q has a control character", name)
	}
	return nil
}

// elements returns the product of shape, which must fit in memory as float32.
func elements(shape []int) (int64, error) {
	const limit = math.MaxInt64 / 4
	n := int64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > limit/int64(d) {
			return 0, fmt.Errorf("shape %v is too large", shape)
		}
		n *= int64(d)
	}
	return n, nil
}

// sorted returns tensors in the order of their names; two of the same name are an error.
func sorted(tensors []Tensor) ([]Tensor, error) {
	out := slices.Clone(tensors)
	slices.SortFunc(out, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	for i := range out {
		if err := out[i].check(); err != nil {
			return nil, err
		}
		if i > 0 && out[i].Name == out[i-1].Name {
			return nil, fmt.Errorf("two tensors are named %q", out[i].Name)
		}
	}
	return out, nil
}
