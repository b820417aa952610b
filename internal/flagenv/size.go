package flagenv

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a flag for a number of bytes: 512MiB, 2GiB, 1.5GB, 1000.
type Size int64

var units = []struct {
	name  string
	bytes float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}

// Set reads a size.
func (s *Size) Set(text string) error {
	number, factor := strings.TrimSpace(text), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0) || v*factor > math.MaxInt64/2 {
		return fmt.Errorf("want a size such as 512MiB or 2GiB")
	}
	*s = Size(v * factor)
	return nil
}

// String is the size in the largest unit that it is a whole number of.
func (s *Size) String() string {
	for i := 3; i >= 0; i-- {
		if n := int64(units[i].bytes); *s > 0 && int64(*s)%n == 0 {
			return strconv.FormatInt(int64(*s)/n, 10) + units[i].name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type names the value in help texts.
func (s *Size) Type() string { return "SIZE" }
