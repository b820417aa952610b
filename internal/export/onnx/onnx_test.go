package onnx

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/internal/export"
	"lockstep/internal/model"
	"lockstep/internal/rng"
	"lockstep/internal/spec"
	"lockstep/internal/testpython"
)

// network builds layers, given as JSON, with random values in every tensor.
func network(t testing.TB, layers string, data model.Data, loss spec.Loss) (*model.Network, []float32, []export.Tensor) {
	t.Helper()
	job := &spec.TrainJob{Loss: loss}
	if err := json.Unmarshal([]byte(layers), &job.Model.Layers); err != nil {
		t.Fatal(err)
	}
	net, err := model.Build(job, data)
	if err != nil {
		t.Fatal(err)
	}
	params := make([]float32, net.Size())
	s := rng.New(7, rng.Weights, 0, 0, 0)
	var tensors []export.Tensor
	for _, p := range net.Params() {
		v := params[p.Off : p.Off+p.Len]
		for i := range v {
			v[i] = float32(int32(s.Uint32())) / (1 << 32)
			if strings.HasSuffix(p.Name, "variance") {
				v[i] += 1
			}
		}
		tensors = append(tensors, export.Tensor{Name: p.Name, Shape: p.Shape, Data: v})
	}
	return net, params, tensors
}

// predictions are those of our own for n records of random input.
func predictions(t testing.TB, net *model.Network, params []float32, data model.Data, n int) (x, y []float32) {
	t.Helper()
	size := 1
	for _, d := range net.InputShape() {
		size *= d
	}
	b := model.Batch{N: n, X: make([]float32, n*size)}
	s := rng.New(8, rng.Weights, 0, 0, 0)
	for i := range b.X {
		b.X[i] = float32(int32(s.Uint32())) / (1 << 31)
		if data.Integer {
			b.X[i] = float32(s.Uint32() % uint32(data.Vocab))
			b.IDs = append(b.IDs, int32(b.X[i]))
		}
	}
	x = b.X
	if data.Integer {
		b.X = nil
	}
	out := n
	for _, d := range net.OutputShape() {
		out *= d
	}
	y = make([]float32, out)
	w := net.NewWeights()
	w.Load(params)
	if err := net.NewPass(n).Predict(w, b, y); err != nil {
		t.Fatal(err)
	}
	return x, y
}

var cases = []struct {
	name, layers string
	data         model.Data
	loss         spec.Loss
	opencv       bool
	batch        int
}{
	{"mlp", `[{"type":"flatten"},{"type":"dense","units":16,"activation":"relu"},{"type":"batch_norm"},{"type":"dropout","rate":0.5},{"type":"dense","units":4}]`,
		model.Data{Shape: []int{5, 4, 1}, Classes: 4}, crossEntropy(true), true, 0},
	{"cnn", `[{"type":"conv2d","filters":6,"kernel_size":[3,3],"padding":"same","activation":"relu"},{"type":"batch_norm"},{"type":"max_pool2d"},
		{"type":"conv2d","filters":8,"kernel_size":[3,2],"strides":[2,1],"padding":"same","activation":"relu"},{"type":"average_pool2d","padding":"same","pool_size":[2,2],"strides":[1,1]},
		{"type":"flatten"},{"type":"dense","units":7,"activation":"relu"},{"type":"dense","units":4,"activation":"softmax"}]`,
		model.Data{Shape: []int{9, 8, 3}, Classes: 4}, crossEntropy(false), true, 0},
	// The image is for OpenCV's Python, which takes an array of three axes for one, too.
	{"lstm", `[{"type":"reshape","target_shape":[7,4]},{"type":"lstm","units":6,"return_sequences":true},{"type":"lstm","units":5},{"type":"dense","units":3}]`,
		model.Data{Shape: []int{7, 4, 1}, Classes: 3}, crossEntropy(true), true, 3},
	{"autoencoder", `[{"type":"conv2d","filters":4,"kernel_size":[3,3],"strides":[2,2],"padding":"same","activation":"relu"},{"type":"flatten"},
		{"type":"dense","units":8},{"type":"dense","units":64,"activation":"relu"},{"type":"reshape","target_shape":[4,4,4]},
		{"type":"conv2d_transpose","filters":3,"kernel_size":[3,3],"strides":[2,2],"padding":"same","activation":"sigmoid"}]`,
		model.Data{Shape: []int{8, 8, 3}, TargetShape: []int{8, 8, 3}}, spec.Loss{Type: "mse"}, true, 0},
	{"images", `[{"type":"conv2d","filters":6,"kernel_size":[3,3],"dilation_rate":[2,2],"groups":3,"activation":"leaky_relu","use_bias":false},
		{"type":"residual","layers":[{"type":"conv2d","filters":6,"kernel_size":[3,3],"padding":"same","activation":"silu"}]},{"type":"layer_norm"},
		{"type":"conv2d_transpose","filters":5,"kernel_size":[2,3],"strides":[3,2],"activation":"elu"},{"type":"global_average_pool2d"},{"type":"dense","units":1}]`,
		model.Data{Shape: []int{9, 9, 3}, TargetShape: []int{1}}, spec.Loss{Type: "mse"}, false, 0},
	{"global max", `[{"type":"conv2d","filters":6,"kernel_size":[3,3],"activation":"gelu"},{"type":"activation","activation":"softmax"},{"type":"global_max_pool2d"},{"type":"dense","units":1,"activation":"sigmoid"}]`,
		model.Data{Shape: []int{6, 6, 1}, Classes: 2, TargetShape: []int{}}, spec.Loss{Type: "binary_cross_entropy", FromLogits: new(bool)}, false, 0},
	{"recurrent", `[{"type":"bidirectional","layer":{"type":"gru","units":4,"return_sequences":true}},{"type":"bidirectional","merge_mode":"ave","layer":{"type":"lstm","units":5,"return_sequences":true}},
		{"type":"gru","units":4,"return_sequences":true},{"type":"simple_rnn","units":4,"activation":"relu","return_sequences":true},{"type":"time_distributed","layer":{"type":"dense","units":3,"activation":"gelu"}},
		{"type":"bidirectional","merge_mode":"mul","layer":{"type":"simple_rnn","units":3}},{"type":"dense","units":2,"activation":"softplus"}]`,
		model.Data{Shape: []int{6, 3}, TargetShape: []int{2}}, spec.Loss{Type: "mse"}, false, 0},
	{"transformer", `[{"type":"embedding","input_dim":11,"output_dim":8},{"type":"positional_embedding"},{"type":"positional_embedding","learned":true},
		{"type":"transformer_block","num_heads":2,"units":16,"causal":true},{"type":"multi_head_attention","num_heads":2,"key_dim":3},{"type":"batch_norm"},{"type":"layer_norm"},{"type":"dense","units":11,"activation":"tanh"}]`,
		model.Data{Shape: []int{6}, Integer: true, Vocab: 11, Classes: 11, TargetShape: []int{6}}, crossEntropy(true), false, 0},
}

func crossEntropy(logits bool) spec.Loss {
	return spec.Loss{Type: "cross_entropy", FromLogits: &logits}
}

//go:embed testdata/check.py
var check string

func TestRuntimes(t *testing.T) {
	python := testpython.Find(t, "onnx", "cv2", "numpy")
	const n = 3
	dir := t.TempDir()
	var about []map[string]any
	for i, c := range cases {
		net, params, tensors := network(t, c.layers, c.data, c.loss)
		x, y := predictions(t, net, params, c.data, n)
		var b bytes.Buffer
		if err := Write(&b, net, tensors, Options{Name: "test", Metadata: map[string]string{"classes": `["a","b"]`}, Batch: c.batch}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.onnx", i)), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		about = append(about, map[string]any{"name": c.name, "x": x, "y": y, "shape": append([]int{n}, net.InputShape()...), "opencv": c.opencv})
	}
	text, err := json.Marshal(about)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cases.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", testpython.Run(t, python, check, dir))
}

func TestMaskIsNamed(t *testing.T) {
	net, _, tensors := network(t, `[{"type":"embedding","name":"words","input_dim":5,"output_dim":2,"mask_zero":true},{"type":"lstm","units":3},{"type":"dense","units":2}]`,
		model.Data{Shape: []int{4}, Integer: true, Vocab: 5, Classes: 2}, crossEntropy(true))
	err := Write(new(bytes.Buffer), net, tensors, Options{Name: "m"})
	var layer *LayerError
	if !errors.As(err, &layer) || layer.Layer != "words" || !strings.Contains(layer.Why, "mask_zero") {
		t.Fatalf("got %v", err)
	}
	if err := Write(new(bytes.Buffer), net, tensors[1:], Options{}); err == nil {
		t.Fatal("a network without a tensor was written")
	}
}
