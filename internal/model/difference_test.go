package model

import (
	"math"
	"slices"
	"testing"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// differenceCase is a network whose gradient is compared with finite differences of its loss. A layer that learns in
// front of the one under test checks the gradient of its input too.
type differenceCase struct {
	name   string
	in     []int
	vocab  int // > 0: the input is ids
	out    []int
	layers []spec.Layer
}

func differenceCases() []differenceCase {
	first := spec.Layer{Type: "dense", Units: 3, Activation: "tanh", Name: "front"}
	return []differenceCase{
		{"dense", []int{5}, 0, []int{7}, []spec.Layer{first, {Type: "dense", Units: 7, Activation: "silu"}}},
		{"dense over time", []int{3, 5}, 0, []int{3, 2}, []spec.Layer{first, {Type: "dense", Units: 2, Activation: "softplus"}}},
		{"activations", []int{5}, 0, []int{5}, []spec.Layer{{Type: "dense", Units: 5},
			{Type: "activation", Activation: "gelu"}, {Type: "activation", Activation: "elu", Alpha: 0.7},
			{Type: "activation", Activation: "sigmoid"}, {Type: "activation", Activation: "softmax"}}},
		{"leaky relu", []int{5}, 0, []int{4}, []spec.Layer{{Type: "dense", Units: 4, Activation: "leaky_relu", NegativeSlope: -0.3}}},
		{"conv2d", []int{5, 4, 2}, 0, []int{3, 2, 5}, []spec.Layer{first,
			{Type: "conv2d", Filters: 5, KernelSize: spec.Pair{3, 2}, Strides: spec.Pair{2, 2}, Padding: "same", Activation: "gelu"}}},
		{"dilated groups", []int{6, 7, 2}, 0, []int{4, 5, 6}, []spec.Layer{first,
			{Type: "conv2d", Filters: 6, KernelSize: spec.Pair{2, 2}, Dilation: spec.Pair{2, 2}, Groups: 3}}},
		{"conv2d_transpose", []int{3, 2, 2}, 0, []int{6, 6, 5}, []spec.Layer{first,
			{Type: "conv2d_transpose", Filters: 5, KernelSize: spec.Pair{3, 2}, Strides: spec.Pair{2, 3}, Padding: "same", Activation: "tanh"}}},
		{"max_pool2d", []int{5, 7, 2}, 0, []int{3, 4, 3}, []spec.Layer{first, {Type: "max_pool2d", PoolSize: spec.Pair{2, 2}, Padding: "same"}}},
		{"average_pool2d", []int{5, 7, 2}, 0, []int{2, 3, 3}, []spec.Layer{first,
			{Type: "average_pool2d", PoolSize: spec.Pair{3, 3}, Strides: spec.Pair{2, 2}}}},
		{"global pools", []int{3, 5, 2}, 0, []int{3}, []spec.Layer{first, {Type: "global_average_pool2d"}}},
		{"global max", []int{3, 5, 2}, 0, []int{3}, []spec.Layer{first, {Type: "global_max_pool2d"}}},
		{"reshape", []int{4, 2}, 0, []int{12}, []spec.Layer{first, {Type: "reshape", TargetShape: []int{2, -1, 3}}, {Type: "flatten"}}},
		{"batch_norm", []int{3, 5, 2}, 0, []int{3, 5, 3}, []spec.Layer{first, {Type: "batch_norm"}}},
		{"layer_norm", []int{5, 2}, 0, []int{5, 3}, []spec.Layer{first, {Type: "layer_norm"}}},
		{"embedding", []int{5}, 7, []int{5, 3}, []spec.Layer{{Type: "embedding", InputDim: 7, OutputDim: 3}}},
		{"simple_rnn", []int{5, 2}, 0, []int{7}, []spec.Layer{first, {Type: "simple_rnn", Units: 7}}},
		{"lstm", []int{5, 2}, 0, []int{5, 3}, []spec.Layer{first, {Type: "lstm", Units: 3, ReturnSequences: true}}},
		{"gru", []int{5, 2}, 0, []int{7}, []spec.Layer{first, {Type: "gru", Units: 7, UseBias: new(bool)}}},
		{"masked lstm", []int{5}, 4, []int{3}, []spec.Layer{{Type: "embedding", InputDim: 4, OutputDim: 3, MaskZero: true},
			{Type: "lstm", Units: 5, ReturnSequences: true}, {Type: "lstm", Units: 3}}},
		{"masked gru", []int{5}, 3, []int{5, 3}, []spec.Layer{{Type: "embedding", InputDim: 3, OutputDim: 3, MaskZero: true},
			{Type: "gru", Units: 5, ReturnSequences: true}, {Type: "dense", Units: 3}}},
		{"masked simple_rnn", []int{5}, 3, []int{3}, []spec.Layer{{Type: "embedding", InputDim: 3, OutputDim: 3, MaskZero: true},
			{Type: "dense", Units: 2, Activation: "tanh"}, {Type: "simple_rnn", Units: 3}}},
		{"bidirectional", []int{4, 2}, 0, []int{4, 6}, []spec.Layer{first,
			{Type: "bidirectional", Layer: &spec.Layer{Type: "lstm", Units: 3, ReturnSequences: true}}}},
		{"bidirectional sum", []int{5}, 3, []int{3}, []spec.Layer{{Type: "embedding", InputDim: 3, OutputDim: 3, MaskZero: true},
			{Type: "bidirectional", MergeMode: "sum", Layer: &spec.Layer{Type: "gru", Units: 3}}}},
		{"bidirectional mul", []int{4, 2}, 0, []int{3}, []spec.Layer{first,
			{Type: "bidirectional", MergeMode: "mul", Layer: &spec.Layer{Type: "simple_rnn", Units: 3}}}},
		{"bidirectional ave", []int{1, 2}, 0, []int{1, 3}, []spec.Layer{first,
			{Type: "bidirectional", MergeMode: "ave", Layer: &spec.Layer{Type: "lstm", Units: 3, ReturnSequences: true}}}},
		{"time_distributed", []int{3, 4, 2, 1}, 0, []int{3, 2}, []spec.Layer{
			{Type: "time_distributed", Layer: &spec.Layer{Type: "conv2d", Filters: 2, KernelSize: spec.Pair{2, 2}, Activation: "tanh"}},
			{Type: "time_distributed", Layer: &spec.Layer{Type: "batch_norm"}},
			{Type: "time_distributed", Layer: &spec.Layer{Type: "global_average_pool2d"}}}},
		{"residual", []int{5}, 0, []int{3}, []spec.Layer{first, {Type: "residual", Layers: []spec.Layer{
			{Type: "dense", Units: 9, Activation: "tanh"}, {Type: "residual", Layers: []spec.Layer{{Type: "layer_norm"}}},
			{Type: "dense", Units: 3}}}}},
		{"multi_head_attention", []int{5, 2}, 0, []int{5, 3}, []spec.Layer{first,
			{Type: "multi_head_attention", NumHeads: 2, KeyDim: 5, Causal: true}}},
		{"masked attention", []int{5}, 3, []int{5, 4}, []spec.Layer{
			{Type: "embedding", InputDim: 3, OutputDim: 4, MaskZero: true}, {Type: "positional_embedding"},
			{Type: "multi_head_attention", NumHeads: 2, UseBias: new(bool)}}},
		{"transformer_block", []int{5}, 7, []int{5, 6}, []spec.Layer{{Type: "embedding", InputDim: 7, OutputDim: 6},
			{Type: "positional_embedding", Learned: true},
			{Type: "transformer_block", NumHeads: 3, Units: 7, Causal: true, Rate: 0.25},
			{Type: "transformer_block", NumHeads: 2, Units: 5}}},
	}
}

func (d differenceCase) job() (*spec.TrainJob, Data, Batch) {
	const n = 3
	job := &spec.TrainJob{Model: spec.Model{Layers: d.layers}, Loss: spec.Loss{Type: "mse"}}
	b := Batch{N: n, Y: floats(12, n*volume(d.out))}
	if d.vocab > 0 {
		b.IDs = labels(11, n*volume(d.in), d.vocab)
	} else {
		b.X = floats(11, n*volume(d.in))
	}
	return job, Data{Shape: d.in, Integer: d.vocab > 0, Vocab: d.vocab, TargetShape: d.out}, b
}

func TestGradientsAgainstFiniteDifferences(t *testing.T) {
	for _, d := range differenceCases() {
		t.Run(d.name, func(t *testing.T) {
			job, data, b := d.job()
			n, err := Build(job, data)
			if err != nil {
				t.Fatal(err)
			}
			params := make([]float32, n.Size())
			n.Init(params, 21)
			for i, v := range floats(13, n.Size()) { // biases too start away from zero
				params[i] += v / 4
			}
			p, w := n.NewPass(b.N+2), n.NewWeights()
			grad, stats := make([]float32, n.Size()), make([]float64, n.stats)
			lossAt := func(v []float32) float64 {
				w.Load(v)
				if err := p.Train(w, b, Key{}, grad, stats, nil); err != nil {
					t.Fatal(err)
				}
				return stats[0]
			}
			lossAt(params)
			want := append([]float32(nil), grad...)
			for _, q := range n.Params() {
				if q.Kind == Trainable {
					compareDifferences(t, q, params, want, lossAt)
				}
			}
		})
	}
}

// TestPassesAgree runs every layer through passes of other sizes and pasts: the bits must be the same, and a warm
// pass must not allocate.
func TestPassesAgree(t *testing.T) {
	for _, d := range differenceCases() {
		t.Run(d.name, func(t *testing.T) {
			job, data, b := d.job()
			n, w := loaded(t, job, data)
			key := Key{Seed: 1, Step: 2, Micro: 3}
			want := train(t, n.NewPass(b.N), w, b, key)
			large := n.NewPass(3*b.N + 1)
			part := Batch{N: 1, Y: b.Y[:len(b.Y)/b.N]}
			if data.Integer {
				part.IDs = b.IDs[:len(b.IDs)/b.N]
			} else {
				part.X = b.X[:len(b.X)/b.N]
			}
			train(t, large, w, part, Key{Seed: 9})
			if err := large.Eval(w, b, make([]float64, n.stats)); err != nil {
				t.Fatal(err)
			}
			got := train(t, large, w, b, key)
			if !sameBits(got.grad, want.grad) || !slices.Equal(got.stats, want.stats) {
				t.Error("the gradient depends on the size or the past of a Pass")
			}
			for i, r := range got.ready {
				if r != len(n.params)-1-i {
					t.Fatalf("ready: %v", got.ready)
				}
			}
			ready := func(int) {}
			if a := testing.AllocsPerRun(2, func() { _ = large.Train(w, b, key, got.grad, got.stats, ready) }); a != 0 {
				t.Errorf("a warm Train allocates %v times", a)
			}
		})
	}
}

// compareDifferences checks a parameter's gradient along single elements and along one random direction:
// (8(f(h)-f(-h)) - (f(2h)-f(-2h))) / 12h.
func compareDifferences(t *testing.T, q Param, params, grad []float32, lossAt func([]float32) float64) {
	t.Helper()
	const h = 1.0 / 128
	s := rng.New(17, rng.Augment, uint64(q.Off), 0, 0)
	moved := append([]float32(nil), params...)
	for k := range min(q.Len, 6) + 1 {
		dir := make([]float64, q.Len)
		if k == 0 {
			for i := range dir {
				dir[i] = s.Float64() - 0.5
			}
		} else {
			dir[s.IntN(q.Len)] = 1
		}
		at := func(x float64) float64 {
			for i, v := range dir {
				moved[q.Off+i] = params[q.Off+i] + float32(x*v)
			}
			return lossAt(moved)
		}
		slope := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
		want, size := 0.0, 0.0
		for i, v := range dir {
			want += v * float64(grad[q.Off+i])
			size += math.Abs(v * float64(grad[q.Off+i]))
		}
		if math.Abs(slope-want) > 2e-4+2e-3*size {
			t.Errorf("%s: the gradient says %.6g, differences say %.6g", q.Name, want, slope)
		}
		copy(moved[q.Off:q.Off+q.Len], params[q.Off:q.Off+q.Len])
	}
}
