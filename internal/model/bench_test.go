package model

import (
	"testing"

	"lockstep/internal/optim"
	"lockstep/internal/spec"
)

// benchNets are the networks that the project's speed is measured on, with their inputs.
func benchNets() map[string]struct {
	in     []int
	layers []spec.Layer
} {
	relu := "relu"
	return map[string]struct {
		in     []int
		layers []spec.Layer
	}{
		"mlp": {[]int{784}, []spec.Layer{{Type: "dense", Units: 512, Activation: relu},
			{Type: "dense", Units: 256, Activation: relu}, {Type: "dense", Units: 10}}},
		"cnn": {[]int{28, 28, 1}, []spec.Layer{
			{Type: "conv2d", Filters: 32, KernelSize: spec.Pair{3, 3}, Padding: "same", Activation: relu}, {Type: "max_pool2d"},
			{Type: "conv2d", Filters: 64, KernelSize: spec.Pair{3, 3}, Padding: "same", Activation: relu}, {Type: "max_pool2d"},
			{Type: "flatten"}, {Type: "dense", Units: 128, Activation: relu}, {Type: "dense", Units: 10}}},
		"lstm": {[]int{28, 28}, []spec.Layer{{Type: "lstm", Units: 128}, {Type: "dense", Units: 10}}},
		"transformer": {[]int{64}, []spec.Layer{{Type: "embedding", InputDim: 65, OutputDim: 128},
			{Type: "positional_embedding", Learned: true},
			{Type: "transformer_block", NumHeads: 4, Units: 512, Causal: true},
			{Type: "transformer_block", NumHeads: 4, Units: 512, Causal: true},
			{Type: "transformer_block", NumHeads: 4, Units: 512, Causal: true},
			{Type: "transformer_block", NumHeads: 4, Units: 512, Causal: true},
			{Type: "layer_norm"}, {Type: "dense", Units: 65}}},
	}
}

// BenchmarkTrain is a step of 128 records (transformer: 12) in micro-batches of 16 (12) on one core, with Adam.
func BenchmarkTrain(b *testing.B) {
	for name, net := range benchNets() {
		b.Run(name, func(b *testing.B) {
			rows, micros, data := 16, 8, Data{Shape: net.in, Classes: 10}
			batch := Batch{N: rows, X: floats(1, rows*volume(net.in)), Labels: labels(2, rows, 10)}
			if name == "transformer" {
				rows, micros, data = 12, 1, Data{Shape: net.in, Classes: 65, Integer: true, Vocab: 65, TargetShape: net.in}
				batch = Batch{N: rows, IDs: labels(1, rows*64, 65), Labels: labels(2, rows*64, 65)}
			}
			job := &spec.TrainJob{Model: spec.Model{Layers: net.layers}, Loss: spec.Loss{Type: "cross_entropy"},
				Optimizer: spec.Optimizer{Type: "adam", Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
			n, err := Build(job, data)
			if err != nil {
				b.Fatal(err)
			}
			opt, err := optim.New(job.Optimizer, ranges(n), n.size)
			if err != nil {
				b.Fatal(err)
			}
			params, grad, stats := make([]float32, n.size), make([]float32, n.size), make([]float64, n.stats)
			state := [][]float32{make([]float32, n.size), make([]float32, n.size)}
			n.Init(params, 1)
			w, p := n.NewWeights(), n.NewPass(rows)
			b.ReportAllocs()
			for step := uint64(1); b.Loop(); step++ {
				w.Load(params)
				for range micros {
					if err := p.Train(w, batch, Key{}, grad, stats, nil); err != nil {
						b.Fatal(err)
					}
				}
				opt.Update(params, state, grad, stats[1], 1e-4, step)
			}
			b.ReportMetric(float64(rows*micros*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
