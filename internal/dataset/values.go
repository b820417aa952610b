package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// values numbers the different values of a category. The zero values are open: find adds what it does not know.
type values struct {
	names  []string
	number map[string]int
	closed bool
}

// newValues returns closed values in the order given.
func newValues(names []string) values {
	v := values{names: names, number: make(map[string]int, len(names)), closed: true}
	for i, name := range names {
		v.number[name] = i
	}
	return v
}

// find returns the number of a value.
func (v *values) find(value string, most int) (int, error) {
	if i, ok := v.number[value]; ok {
		return i, nil
	}
	switch {
	case value == "":
		return 0, errors.New("is not a value of a category: the cell is empty")
	case v.closed:
		return 0, fmt.Errorf("is not among the values %s", listed(v.names))
	case len(v.names) == most:
		return 0, fmt.Errorf("is one value too many: a category has at most %d", most)
	}
	if v.number == nil {
		v.number = make(map[string]int)
	}
	value = strings.Clone(value) // or the whole row would stay in memory
	v.number[value] = len(v.names)
	v.names = append(v.names, value)
	return len(v.names) - 1, nil
}

// close sorts the values, as numbers if all of them are, and lets no more in. It returns the new number of each, or
// nil if they were closed before.
func (v *values) close() []int {
	if v.closed {
		return nil
	}
	names := slices.Clone(v.names)
	sortValues(names)
	renumber := make([]int, len(names))
	closed := newValues(names)
	for i, name := range v.names {
		renumber[i] = closed.number[name]
	}
	*v = closed
	return renumber
}

func sortValues(names []string) {
	numbers := make(map[string]float64, len(names))
	for _, name := range names {
		x, err := strconv.ParseFloat(name, 64)
		if err != nil || math.IsNaN(x) {
			slices.Sort(names)
			return
		}
		numbers[name] = x
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(numbers[a], numbers[b]), strings.Compare(a, b))
	})
}
