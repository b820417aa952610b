package model

import (
	"slices"
	"testing"

	"lockstep/internal/spec"
)

// TestTruncatedGradient gives every step of a sequence a row of its own in an embedding, so that the table's gradient
// shows what goes back to each step from the last one's output.
func TestTruncatedGradient(t *testing.T) {
	const steps, width = 7, 3
	table := func(kind string, truncate int) []float32 {
		layers := []spec.Layer{{Type: "embedding", InputDim: steps, OutputDim: width}, {Type: kind, Units: 3, Truncate: truncate}}
		b := Batch{N: 1, IDs: []int32{0, 1, 2, 3, 4, 5, 6}, Y: floats(9, 3)}
		return onSequences(t, layers, false, steps, b).grad[:steps*width]
	}
	zero := func(x []float32) bool { return !slices.ContainsFunc(x, func(v float32) bool { return v != 0 }) }
	for _, kind := range []string{"simple_rnn", "lstm", "gru"} {
		whole := table(kind, 0)
		if zero(whole[:width]) {
			t.Fatalf("%s: nothing goes back to the first step", kind)
		}
		for truncate, first := range map[int]int{1: 6, 2: 6, 3: 6, 4: 4, 5: 5, 6: 6, 7: 0, 8: 0} {
			got := table(kind, truncate)
			if !zero(got[:first*width]) {
				t.Errorf("%s, truncated at %d: something goes back over step %d", kind, truncate, first)
			}
			if !slices.Equal(got[first*width:], whole[first*width:]) {
				t.Errorf("%s, truncated at %d: the gradient from step %d on is %v, want %v", kind, truncate, first, got[first*width:], whole[first*width:])
			}
		}
	}
}
