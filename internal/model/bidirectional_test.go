package model

import (
	"strings"
	"testing"

	"lockstep/internal/spec"
)

// With the same weights in both directions, reading x backwards is reading the reversed x forwards.
func TestBidirectionalReadsBackwards(t *testing.T) {
	const steps, in, units = 4, 3, 5
	for _, sequences := range []bool{true, false} {
		out := []int{2 * units}
		if sequences {
			out = []int{steps, 2 * units}
		}
		job := &spec.TrainJob{Loss: spec.Loss{Type: "mse"}, Model: spec.Model{Layers: []spec.Layer{
			{Type: "bidirectional", Layer: &spec.Layer{Type: "lstm", Units: units, ReturnSequences: sequences}}}}}
		n, err := Build(job, Data{Shape: []int{steps, in}, TargetShape: out})
		if err != nil {
			t.Fatal(err)
		}
		params := make([]float32, n.Size())
		n.Init(params, 3)
		for _, p := range n.Params() {
			if name, ok := strings.CutPrefix(p.Name, "bidirectional/lstm/forward_"); ok {
				q := paramNamed(t, n, "backward_"+name)
				copy(params[q.Off:q.Off+q.Len], params[p.Off:p.Off+p.Len])
			}
		}
		w, pass := n.NewWeights(), n.NewPass(1)
		w.Load(params)
		predict := func(x []float32) []float32 {
			y := make([]float32, volume(out))
			if err := pass.Predict(w, Batch{N: 1, X: x}, y); err != nil {
				t.Fatal(err)
			}
			return y
		}
		x := floats(8, steps*in)
		reversed := make([]float32, len(x))
		for i := range steps {
			copy(reversed[i*in:(i+1)*in], x[(steps-1-i)*in:])
		}
		a, b := predict(x), predict(reversed)
		for s := range len(a) / (2 * units) {
			r := len(a)/(2*units) - 1 - s
			ahead, back := a[2*s*units:(2*s+1)*units], b[(2*r+1)*units:(2*r+2)*units]
			if !sameBits(ahead, back) {
				t.Errorf("sequences %v, step %d: forwards %v, backwards %v", sequences, s, ahead, back)
			}
		}
	}
}
