package trainer

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"lockstep/internal/export"
	"lockstep/internal/spec"
)

// weights are tensors of the shapes of testTask's parameters, each filled with its number.
func weights(t *task, names ...string) (out []export.Tensor) {
	for i, p := range t.params {
		if slices.Contains(names, p.Name) {
			data := make([]float32, p.Len)
			for k := range data {
				data[k] = float32(100*i + k)
			}
			out = append(out, export.Tensor{Name: p.Name, Shape: p.Shape, Data: data})
		}
	}
	return out
}

// TestTransfer: what has a parameter's name is copied, the rest is initialised as usual and told of.
func TestTransfer(t *testing.T) {
	task := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n")
	usual := slices.Clone(task.state.params)
	task.spec.InitFrom = &spec.InitFrom{Digest: "sha256:ab"}
	from := append(weights(task, "dense/kernel", "dense/bias"), export.Tensor{Name: "old_head/kernel", Shape: []int{1}, Data: []float32{1}})
	note, err := task.begin(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 of 8 parameters", "sha256:ab", "initialised as usual: batch_norm/", "dense_1/kernel"} {
		if !strings.Contains(note, want) {
			t.Errorf("it says %q, want %q in it", note, want)
		}
	}
	for i, p := range task.params {
		got, want := task.state.params[p.Off:p.Off+p.Len], usual[p.Off:p.Off+p.Len]
		if p.Name == "dense/kernel" || p.Name == "dense/bias" {
			want = from[i].Data
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s begins with %v, want %v", p.Name, got, want)
		}
	}
}

// TestTransferFromTorch: PyTorch's names and layouts are understood.
func TestTransferFromTorch(t *testing.T) {
	task := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n")
	task.spec.InitFrom = &spec.InitFrom{Digest: "sha256:ab"}
	kernel := task.params[0]
	in, out := kernel.Shape[0], kernel.Shape[1]
	w := export.Tensor{Name: "dense.weight", Shape: []int{out, in}, Data: make([]float32, in*out)}
	for i := range w.Data {
		w.Data[i] = float32(i)
	}
	if _, err := task.begin([]export.Tensor{w}); err != nil {
		t.Fatal(err)
	}
	for i := range in {
		for o := range out {
			if got, want := task.state.params[kernel.Off+i*out+o], w.Data[o*in+i]; got != want {
				t.Fatalf("kernel[%d][%d] = %v, want %v", i, o, got, want)
			}
		}
	}
}

// TestTransferRefuses names the layer, and both shapes.
func TestTransferRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		freeze bool
		from   func(t *task) []export.Tensor
		want   []string
	}{
		"another shape": {false, func(t *task) []export.Tensor {
			w := weights(t, "dense/kernel", "dense_1/bias")
			w[1].Shape, w[1].Data = []int{7}, make([]float32, 7)
			return w
		}, []string{`layer "dense_1"`, "dense_1/bias", "[3]", "[7]"}},
		"another shape in PyTorch's layout": {false, func(*task) []export.Tensor {
			return []export.Tensor{{Name: "dense_1.bias", Shape: []int{7}, Data: make([]float32, 7)}}
		}, []string{"dense_1.bias", "[3]", "[7]"}},
		"nothing fits": {false, func(*task) []export.Tensor {
			return []export.Tensor{{Name: "fc.weight", Shape: []int{1}, Data: []float32{1}}}
		}, []string{"none of the weights", "dense/kernel", "fc.weight"}},
		"frozen and not there": {true, func(t *task) []export.Tensor { return weights(t, "dense/kernel") }, []string{"frozen", "dense_1/kernel"}},
	} {
		task := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n")
		if c.freeze {
			task.spec.Model.Freeze = []string{"dense_1"}
			task.net, task.cores = nil, nil
			if err := task.build(1); err != nil {
				t.Fatal(err)
			}
		}
		task.spec.InitFrom = &spec.InitFrom{Digest: "sha256:ab"}
		_, err := task.begin(c.from(task))
		var fault *jobError
		if !errors.As(err, &fault) {
			t.Errorf("%s: error %v is not the job's", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, want %q in it", name, err, want)
			}
		}
	}
}
