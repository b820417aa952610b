package model

import (
	"strings"
	"testing"

	"lockstep/internal/spec"
)

// A record that is its own target keeps the dataset's shape, whatever shape the model gives it.
func TestOwnTargetsOfAnotherShape(t *testing.T) {
	data := Data{Shape: []int{2, 3, 1}, TargetShape: []int{2, 3, 1}}
	x := floats(1, 4*6)
	loss := map[string]float64{}
	for name, c := range map[string]struct {
		last spec.Layer
		want string
	}{
		"flat":     {spec.Layer{Type: "activation", Activation: "linear"}, ""},
		"folded":   {spec.Layer{Type: "reshape", TargetShape: []int{3, 2}}, ""},
		"as it is": {spec.Layer{Type: "reshape", TargetShape: []int{2, 3, 1}}, ""},
		"short":    {spec.Layer{Type: "dense", Units: 5}, "loss: mse: the output has shape [5], the target [2 3 1]"},
	} {
		job := &spec.TrainJob{Model: spec.Model{Input: spec.Input{Shape: []int{6}}, Layers: []spec.Layer{{Type: "dense", Units: 6}, c.last}},
			Loss: spec.Loss{Type: "mse"}}
		n, err := Build(job, data)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want %s", name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		params := make([]float32, n.Size())
		n.Init(params, 1)
		w := n.NewWeights()
		w.Load(params)
		loss[name] = n.Metrics(train(t, n.NewPass(4), w, Batch{N: 4, X: x, Y: x}, Key{}).stats)["loss"]
	}
	if loss["flat"] == 0 || loss["flat"] != loss["folded"] || loss["flat"] != loss["as it is"] {
		t.Errorf("losses differ by shape: %v", loss)
	}
}
