package model

import (
	"errors"
	"strings"
	"testing"

	"lockstep/internal/spec"
)

// A layer that does not fit says its name, what it wants, and the shape that it got.
func TestLayersThatDoNotFit(t *testing.T) {
	embed := spec.Layer{Type: "embedding", InputDim: 9, OutputDim: 3}
	for _, c := range []struct {
		layer spec.Layer
		in    []int
		ids   bool
		want  string
	}{
		{spec.Layer{Type: "conv2d", Filters: 2, KernelSize: spec.Pair{3, 3}}, []int{784}, false, "[height, width, channels], but gets [784]"},
		{spec.Layer{Type: "conv2d", Filters: 2, KernelSize: spec.Pair{5, 3}}, []int{4, 4, 1}, false, "[5 3], dilated by [1 1], is larger than its input of shape [4 4 1]"},
		{spec.Layer{Type: "conv2d", Filters: 2, KernelSize: spec.Pair{3, 3}, Dilation: spec.Pair{2, 1}}, []int{4, 4, 1}, false, "shape [4 4 1]"},
		{spec.Layer{Type: "conv2d", Filters: 4, KernelSize: spec.Pair{1, 1}, Groups: 2}, []int{4, 4, 3}, false, "3 channels of its input of shape [4 4 3]"},
		{spec.Layer{Type: "conv2d", KernelSize: spec.Pair{1, 1}}, []int{4, 4, 3}, false, "filters"},
		{spec.Layer{Type: "conv2d", Filters: 1}, []int{4, 4, 3}, false, "at least 1"},
		{spec.Layer{Type: "conv2d", Filters: 1, KernelSize: spec.Pair{1, 1}, Padding: "full"}, []int{4, 4, 3}, false, `"full"`},
		{spec.Layer{Type: "conv2d_transpose", Filters: 1, KernelSize: spec.Pair{2, 2}}, []int{4, 4}, false, "[4 4]"},
		{spec.Layer{Type: "max_pool2d", PoolSize: spec.Pair{3, 3}}, []int{2, 4, 1}, false, "[2 4 1]"},
		{spec.Layer{Type: "average_pool2d", Strides: spec.Pair{-1, 1}}, []int{2, 4, 1}, false, "[-1 1]"},
		{spec.Layer{Type: "global_max_pool2d"}, []int{8}, false, "[8]"},
		{spec.Layer{Type: "reshape", TargetShape: []int{3, -1}}, []int{8}, false, "input of shape [8] has 8 values, which do not fill target_shape [3 -1]"},
		{spec.Layer{Type: "reshape", TargetShape: []int{3, 3}}, []int{8}, false, "[3 3]"},
		{spec.Layer{Type: "reshape", TargetShape: []int{-1, -1}}, []int{8}, false, "[-1 -1]"},
		{spec.Layer{Type: "batch_norm"}, []int{8}, true, "[8] of token ids"},
		{spec.Layer{Type: "layer_norm"}, []int{8}, true, "[8] of token ids"},
		{spec.Layer{Type: "flatten"}, []int{8}, true, "[8] of token ids"},
		{spec.Layer{Type: "dropout", Rate: 1}, []int{8}, false, "rate is 1"},
		{embed, []int{8}, false, "[time] of token ids, but gets [8]"},
		{spec.Layer{Type: "embedding", InputDim: 8, OutputDim: 3}, []int{8}, true, "vocabulary of 9"},
		{spec.Layer{Type: "lstm", Units: 3}, []int{8}, false, "[time, features], but gets [8]"},
		{spec.Layer{Type: "lstm", Units: 3, Activation: "relu"}, []int{8, 2}, false, "tanh"},
		{spec.Layer{Type: "gru"}, []int{8, 2}, false, "units is 0"},
		{spec.Layer{Type: "simple_rnn", Units: 2, Activation: "gelu"}, []int{8, 2}, false, `"gelu"`},
		{spec.Layer{Type: "bidirectional"}, []int{8, 2}, false, "no layer inside"},
		{spec.Layer{Type: "bidirectional", MergeMode: "max", Layer: &spec.Layer{Type: "gru", Units: 2}}, []int{8, 2}, false, `"max"`},
		{spec.Layer{Type: "bidirectional", Layer: &spec.Layer{Type: "dense", Units: 2}}, []int{8, 2}, false, "not dense"},
		{spec.Layer{Type: "time_distributed", Layer: &spec.Layer{Type: "flatten"}}, []int{8}, false, "[8]"},
		{spec.Layer{Type: "time_distributed", Layer: &spec.Layer{Type: "conv2d", Filters: 1, KernelSize: spec.Pair{1, 1}}}, []int{8, 2}, false, `layer "x/conv2d": it needs an input of shape [height, width, channels], but gets [2]`},
		{spec.Layer{Type: "residual", Layers: []spec.Layer{{Type: "dense", Units: 3}}}, []int{8}, false, "turn shape [8] into [3]"},
		{spec.Layer{Type: "multi_head_attention", NumHeads: 3}, []int{4, 8}, false, "num_heads is 3, which does not divide its input of shape [4 8]"},
		{spec.Layer{Type: "positional_embedding"}, []int{8}, false, "[8]"},
		{spec.Layer{Type: "transformer_block", NumHeads: 2, Units: 3}, []int{8}, false, "[8]"},
		{spec.Layer{Type: "transformer_block", NumHeads: 2}, []int{4, 8}, false, "units is 0"},
	} {
		c.layer.Name = "x"
		job := &spec.TrainJob{Model: spec.Model{Layers: []spec.Layer{c.layer}}, Loss: spec.Loss{Type: "mse"}}
		_, err := Build(job, Data{Shape: c.in, Integer: c.ids, Vocab: 9})
		var at *LayerError
		if !errors.As(err, &at) || !strings.HasPrefix(at.Layer, "x") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s on %v: %v\nwant: %s", c.layer.Type, c.in, err, c.want)
		}
	}
}

func TestIdsOutsideTheVocabulary(t *testing.T) {
	job := &spec.TrainJob{Loss: spec.Loss{Type: "cross_entropy"}, Model: spec.Model{Layers: []spec.Layer{
		{Type: "embedding", InputDim: spec.VocabSize, OutputDim: 2}, {Type: "dense", Units: spec.VocabSize}}}}
	n, w := loaded(t, job, Data{Shape: []int{3}, Integer: true, Vocab: 5, TargetShape: []int{3}, Classes: 5})
	p := n.NewPass(2)
	for _, id := range []int32{5, -1} {
		b := Batch{N: 2, IDs: []int32{0, 1, 2, 3, id, 4}, Labels: make([]int32, 6)}
		err := p.Train(w, b, Key{}, make([]float32, n.size), make([]float64, n.stats), nil)
		var record *RecordError
		if !errors.As(err, &record) || record.Index != 1 || !strings.Contains(err.Error(), "position 1") {
			t.Errorf("id %d: %v", id, err)
		}
	}
	var batch *BatchError
	if err := p.Predict(w, Batch{N: 1, X: make([]float32, 3)}, make([]float32, 15)); !errors.As(err, &batch) {
		t.Errorf("floats for ids: %v", err)
	}
}
