package torch

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lockstep/internal/export"
	"lockstep/internal/model"
	"lockstep/internal/rng"
	"lockstep/internal/spec"
	"lockstep/internal/testpython"
)

var cases = []struct {
	name, layers string
	data         model.Data
}{
	{"cnn", `[{"type":"conv2d","filters":4,"kernel_size":[3,3],"padding":"same","activation":"relu"},{"type":"batch_norm"},{"type":"flatten"},{"type":"batch_norm"},
		{"type":"dense","units":30,"activation":"relu"},{"type":"dropout","rate":0.1},{"type":"reshape","target_shape":[3,2,5]},
		{"type":"conv2d_transpose","filters":3,"kernel_size":[3,2],"strides":[2,2]}]`,
		model.Data{Shape: []int{4, 5, 2}, TargetShape: []int{7, 4, 3}}},
	{"sequence", `[{"type":"embedding","input_dim":9,"output_dim":4},{"type":"positional_embedding","learned":true},
		{"type":"bidirectional","layer":{"type":"lstm","units":4,"return_sequences":true}},{"type":"transformer_block","num_heads":2,"units":12,"activation":"relu"},
		{"type":"gru","units":5,"return_sequences":true},{"type":"simple_rnn","units":6,"return_sequences":true},
		{"type":"residual","layers":[{"type":"dense","units":6}]}]`,
		model.Data{Shape: []int{5}, Integer: true, Vocab: 9, TargetShape: []int{5, 6}}},
	{"attention of another width", `[{"type":"multi_head_attention","num_heads":2,"key_dim":3},{"type":"layer_norm"},{"type":"lstm","units":3,"use_bias":false},{"type":"dense","units":2,"use_bias":false}]`,
		model.Data{Shape: []int{4, 5}, TargetShape: []int{2}}},
}

func network(t *testing.T, layers string, data model.Data) (*model.Network, []float32, []export.Tensor) {
	t.Helper()
	job := &spec.TrainJob{Loss: spec.Loss{Type: "mse"}}
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
				v[i]++
			}
		}
		tensors = append(tensors, export.Tensor{Name: p.Name, Shape: p.Shape, Data: v})
	}
	return net, params, tensors
}

func TestThereAndBack(t *testing.T) {
	for _, c := range cases {
		net, _, tensors := network(t, c.layers, c.data)
		there, err := FromCanonical(net, tensors)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, x := range there {
			n += len(x.Data)
		}
		back, err := ToCanonical(net, append(there, export.Tensor{Name: "batch_norm.num_batches_tracked"}))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tensors, back); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		if n < net.Size()/2 {
			t.Errorf("%s: only %d values", c.name, n)
		}
	}
}

func TestBiasesAreAdded(t *testing.T) {
	net, _, tensors := network(t, `[{"type":"lstm","units":1},{"type":"dense","units":1}]`, model.Data{Shape: []int{2, 1}, TargetShape: []int{1}})
	there, err := FromCanonical(net, tensors)
	if err != nil {
		t.Fatal(err)
	}
	for i := range there {
		switch there[i].Name {
		case "lstm.bias_ih_l0":
			there[i].Data = []float32{1, 2, 3, 4}
		case "lstm.bias_hh_l0":
			there[i].Data = []float32{10, 20, 30, 40}
		}
	}
	back, err := ToCanonical(net, there)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range back {
		if x.Name == "lstm/bias" && !cmp.Equal(x.Data, []float32{11, 22, 33, 44}) {
			t.Errorf("bias is %v", x.Data)
		}
	}
	there[0].Shape = []int{7}
	if _, err := ToCanonical(net, there); err == nil || !strings.Contains(err.Error(), there[0].Name) {
		t.Errorf("a wrong shape gives %v", err)
	}
	if _, err := ToCanonical(net, there[1:]); err == nil || !strings.Contains(err.Error(), "lstm.weight_ih_l0") {
		t.Errorf("a missing tensor gives %v", err)
	}
}

//go:embed testdata/check.py
var check string

// TestPyTorchComputesTheSame computes with the numbers as PyTorch's modules would.
func TestPyTorchComputesTheSame(t *testing.T) {
	python := testpython.Find(t, "numpy")
	dir := t.TempDir()
	var about []map[string]any
	for i, c := range cases[:2] {
		net, params, tensors := network(t, c.layers, c.data)
		const n = 3
		b := model.Batch{N: n}
		s := rng.New(8, rng.Weights, 0, 0, 0)
		x := make([]float32, n*volume(net.InputShape()))
		for i := range x {
			if x[i] = float32(int32(s.Uint32())) / (1 << 31); c.data.Integer {
				b.IDs = append(b.IDs, int32(s.Uint32()%uint32(c.data.Vocab)))
				x[i] = float32(b.IDs[i])
			}
		}
		if !c.data.Integer {
			b.X = x
		}
		y := make([]float32, n*volume(net.OutputShape()))
		w := net.NewWeights()
		w.Load(params)
		if err := net.NewPass(n).Predict(w, b, y); err != nil {
			t.Fatal(err)
		}
		there, err := FromCanonical(net, tensors)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.safetensors", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := export.WriteSafetensors(f, there); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		about = append(about, map[string]any{"name": c.name, "x": x, "y": y, "x_shape": append([]int{n}, net.InputShape()...), "y_shape": append([]int{n}, net.OutputShape()...)})
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

func volume(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
