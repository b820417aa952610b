package console

import (
	"math"
	"strings"
)

// Sparkline draws values as a line of at most width blocks, from the least (low) to the largest (high). Of many values
// each block is the last of an equal part of them; those that are not finite are left out.
func Sparkline(values []float64, width int) string {
	var finite []float64
	least, most := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			finite, least, most = append(finite, v), min(least, v), max(most, v)
		}
	}
	blocks := []rune("▁▂▃▄▅▆▇█")
	n := min(len(finite), width)
	var b strings.Builder
	for i := range n {
		v := finite[(i+1)*len(finite)/n-1]
		level := 0
		if most > least {
			level = int((v/2 - least/2) / (most/2 - least/2) * float64(len(blocks)-1)) // halves, so that nothing overflows
		}
		b.WriteRune(blocks[level])
	}
	return b.String()
}
