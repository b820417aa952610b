package bundle

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lockstep/internal/ckpt"
	"lockstep/internal/export"
	"lockstep/internal/spec"
)

const job = `
apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: t}
spec:
  dataset: {format: csv, source: "file:///data", train: {file: x.csv}, target: {column: y, type: category}}
  model: {layers: [{type: dense, units: 2}]}
  loss: {type: cross_entropy}
`

// state is that of a job with one layer, two inputs and two classes; its best weights are other than its last.
func state() *ckpt.State {
	return &ckpt.State{Dataset: []byte(`{"shape":[2],"classes":["no","yes"],"class_count":2,"columns":[{"name":"a","type":"number","center":1.5,"scale":2}]}`),
		Tensors: []ckpt.Tensor{
			{Name: "param/dense/kernel", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}},
			{Name: "param/dense/bias", Shape: []int{2}, Data: []float32{5, 6}},
			{Name: "export/dense/kernel", Shape: []int{2, 2}, Data: []float32{7, 8, 9, 10}},
			{Name: "export/dense/bias", Shape: []int{2}, Data: []float32{11, 12}},
		}}
}

func canonical(t testing.TB) []byte {
	t.Helper()
	j, err := spec.Parse("t.yaml", []byte(job))
	if err != nil {
		t.Fatal(err)
	}
	return j.Canonical()
}

func TestRoundTrip(t *testing.T) {
	b, err := FromState(canonical(t), state(), false)
	if err != nil {
		t.Fatal(err)
	}
	if b.Tensors[0].Data[0] != 11 {
		t.Errorf("the result is %v, want the best", b.Tensors[0])
	}
	last, err := FromState(canonical(t), state(), true)
	if err != nil || last.Tensors[0].Data[0] != 5 {
		t.Errorf("the last is %v, %v", last.Tensors[0], err)
	}
	var text bytes.Buffer
	if err := b.Write(&text); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "b")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b, got); d != "" {
		t.Error(d)
	}
	plain, err := export.ReadSafetensors(&text)
	if err != nil || cmp.Diff(b.Tensors, plain) != "" {
		t.Errorf("as safetensors it holds %v, %v", plain, err)
	}
}

func TestRefused(t *testing.T) {
	var plain bytes.Buffer
	if err := export.WriteSafetensors(&plain, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(&plain); !errors.Is(err, ErrPlain) {
		t.Errorf("a file without description: %v", err)
	}
	old := state()
	old.Dataset = nil
	if _, err := FromState(canonical(t), old, false); err == nil || !strings.Contains(err.Error(), "older version") {
		t.Errorf("an old checkpoint: %v", err)
	}
	other := state()
	other.Tensors = other.Tensors[1:2]
	if _, err := FromState(canonical(t), other, true); err == nil || !strings.Contains(err.Error(), `"dense/kernel"`) {
		t.Errorf("a checkpoint without a tensor: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	b, err := FromState(canonical(f), state(), false)
	if err != nil {
		f.Fatal(err)
	}
	var text bytes.Buffer
	if err := b.Write(&text); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Read(bytes.NewReader(raw))
		if err != nil {
			return
		}
		if _, err := b.Network(); err != nil {
			t.Errorf("a bundle that was read has no network: %v", err)
		}
	})
}
