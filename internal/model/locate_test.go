package model

import (
	"math"
	"testing"

	"lockstep/internal/spec"
)

// TestLocate puts a number that is not finite into each part of a network, and looks where it is found first.
func TestLocate(t *testing.T) {
	job := &spec.TrainJob{Loss: spec.Loss{Type: "mse"}, Model: spec.Model{Layers: []spec.Layer{
		{Type: "dense", Units: 3, Name: "first"}, {Type: "dense", Units: 2, Name: "second"}}}}
	n, err := Build(job, Data{Shape: []int{2}, TargetShape: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	params := make([]float32, n.Size())
	n.Init(params, 1)
	locate := func(change func(p []float32, b *Batch)) string {
		p, b := append([]float32(nil), params...), Batch{N: 1, X: []float32{1, 2}, Y: []float32{0, 1}}
		change(p, &b)
		w := n.NewWeights()
		w.Load(p)
		where, err := n.NewPass(1).Locate(w, b, Key{}, make([]float32, n.Size()), make([]float64, n.NumStats()))
		if err != nil {
			t.Fatal(err)
		}
		return where
	}
	nan := float32(math.NaN())
	for want, change := range map[string]func([]float32, *Batch){
		"":                             func([]float32, *Batch) {},
		`the output of layer "first"`:  func(_ []float32, b *Batch) { b.X[1] = nan },
		`the output of layer "second"`: func(p []float32, _ *Batch) { p[n.Params()[3].Off] = nan },
		"the loss":                     func(_ []float32, b *Batch) { b.Y[0] = nan },
	} {
		if got := locate(change); got != want {
			t.Errorf("found in %q, want %q", got, want)
		}
	}
}
