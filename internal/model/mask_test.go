package model

import (
	"math"
	"testing"

	"lockstep/internal/spec"
)

// TestPaddingChangesNothing compares networks on short sequences with the same ones on sequences padded by id 0: what
// comes out for real steps, the loss and the gradient must be the same, up to the order of sums.
func TestPaddingChangesNothing(t *testing.T) {
	const short, long, n = 3, 5, 4
	masked := spec.Layer{Type: "embedding", InputDim: 7, OutputDim: 4, MaskZero: true}
	for _, c := range []struct {
		name   string
		layers []spec.Layer
		after  bool // padding behind the sequence, or before it
		steps  bool // an output for every step
	}{
		{"lstm", []spec.Layer{masked, {Type: "lstm", Units: 3}}, true, false},
		{"lstm, padded before", []spec.Layer{masked, {Type: "lstm", Units: 3}}, false, false},
		{"gru", []spec.Layer{masked, {Type: "gru", Units: 3}}, true, false},
		{"two layers", []spec.Layer{masked, {Type: "gru", Units: 5, ReturnSequences: true}, {Type: "simple_rnn", Units: 3}}, true, false},
		{"bidirectional", []spec.Layer{masked, {Type: "bidirectional", MergeMode: "sum", Layer: &spec.Layer{Type: "lstm", Units: 3}}}, true, false},
		{"sequences", []spec.Layer{masked, {Type: "lstm", Units: 3, ReturnSequences: true}}, true, true},
		{"attention", []spec.Layer{masked, {Type: "multi_head_attention", NumHeads: 2}, {Type: "dense", Units: 3}}, true, true},
		{"transformer", []spec.Layer{masked, {Type: "transformer_block", NumHeads: 2, Units: 5, Causal: true}, {Type: "dense", Units: 3}}, true, true},
		{"time_distributed", []spec.Layer{masked, {Type: "time_distributed", Layer: &spec.Layer{Type: "dense", Units: 4}}, {Type: "lstm", Units: 3}}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ids := labels(3, n*short, 5)
			padded := make([]int32, n*long)
			at := func(i int) int { // the place of step i of a record among the padded ones
				if c.after {
					return i
				}
				return i + long - short
			}
			y := floats(4, n*short*3)
			padY := floats(5, n*long*3)
			for r := range n {
				for i := range short {
					ids[r*short+i]++ // no padding inside
					padded[r*long+at(i)] = ids[r*short+i]
					copy(padY[(r*long+at(i))*3:], y[(r*short+i)*3:(r*short+i+1)*3])
				}
			}
			if !c.steps {
				y, padY = y[:n*3], y[:n*3]
			}
			want := onSequences(t, c.layers, c.steps, short, Batch{N: n, IDs: ids, Y: y})
			got := onSequences(t, c.layers, c.steps, long, Batch{N: n, IDs: padded, Y: padY})
			if math.Abs(got.stats[0]/got.stats[1]-want.stats[0]/want.stats[1]) > 1e-6 {
				t.Errorf("the loss is %v, without padding %v", got.stats[0]/got.stats[1], want.stats[0]/want.stats[1])
			}
			for i, v := range want.grad {
				a, b := float64(v)/want.stats[1], float64(got.grad[i])/got.stats[1]
				if math.Abs(a-b) > 1e-6 {
					t.Fatalf("grad[%d] is %v, without padding %v", i, b, a)
				}
			}
		})
	}
}

func onSequences(t *testing.T, layers []spec.Layer, steps bool, length int, b Batch) result {
	t.Helper()
	out := []int{3}
	if steps {
		out = []int{length, 3}
	}
	job := &spec.TrainJob{Model: spec.Model{Layers: layers}, Loss: spec.Loss{Type: "mse"}}
	n, w := loaded(t, job, Data{Shape: []int{length}, Integer: true, Vocab: 7, TargetShape: out})
	return train(t, n.NewPass(b.N), w, b, Key{})
}
