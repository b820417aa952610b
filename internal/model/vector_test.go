package model

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// Reference vectors: one JSON file per operation, made with PyTorch in float64 from inputs exact in float32. Each case
// has its own tolerance, |v - r| <= atol + rtol*|r|, for outputs, gradients, parameters and state alike.

type tensor struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
	DType string    `json:"dtype"`
}

func (t tensor) floats() []float32 {
	f := make([]float32, len(t.Data))
	for i, v := range t.Data {
		f[i] = float32(v)
	}
	return f
}

func (t tensor) ints() []int32 {
	f := make([]int32, len(t.Data))
	for i, v := range t.Data {
		f[i] = int32(v)
	}
	return f
}

type tensors map[string]tensor

type vectorFile struct {
	Op    string       `json:"op"`
	Cases []vectorCase `json:"cases"`
}

type vectorCase struct {
	Name          string          `json:"name"`
	Attrs         json.RawMessage `json:"attrs"`
	Inputs        tensors         `json:"inputs"`
	Params        tensors         `json:"params"`
	Outputs       tensors         `json:"outputs"`
	OutputGrad    tensors         `json:"output_grad"`
	Grads         tensors         `json:"grads"`
	UpdatedParams tensors         `json:"updated_params"`
	Steps         []vectorStep    `json:"steps"`
	RTol          float64         `json:"rtol"`
	ATol          float64         `json:"atol"`
}

type vectorStep struct {
	LearningRate *float64           `json:"learning_rate"`
	Loss         json.RawMessage    `json:"loss"`
	Grads        tensors            `json:"grads"`
	Params       tensors            `json:"params"`
	State        map[string]tensors `json:"state"`
}

// attrs decodes the case's attributes.
func (c *vectorCase) attrs(t *testing.T, dst any) {
	t.Helper()
	if err := json.Unmarshal(c.Attrs, dst); err != nil {
		t.Fatalf("attrs: %v", err)
	}
}

// near compares got with a reference tensor within the case's tolerance.
func (c *vectorCase) near(t *testing.T, what string, got []float32, want tensor) {
	t.Helper()
	if len(got) != len(want.Data) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want.Data))
	}
	bad := 0
	for i, w := range want.Data {
		if d := math.Abs(float64(got[i]) - w); !(d <= c.ATol+c.RTol*math.Abs(w)) {
			if bad++; bad <= 3 {
				t.Errorf("%s[%d] = %v, want %v (off by %.3g)", what, i, got[i], w, d)
			}
		}
	}
	if bad > 3 {
		t.Errorf("%s: %d of %d values are off", what, bad, len(got))
	}
}

// vectorDir is where the vectors are: the package's own, or those that LOCKSTEP_VECTORS names.
func vectorDir() string {
	if d := os.Getenv("LOCKSTEP_VECTORS"); d != "" {
		return d
	}
	return filepath.Join("testdata", "vectors")
}

func readVectors(t *testing.T) []vectorFile {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(vectorDir(), "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no vectors in %s: %v", vectorDir(), err)
	}
	files := make([]vectorFile, len(names))
	for i, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &files[i]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if files[i].Op == "" || len(files[i].Cases) == 0 {
			t.Fatalf("%s: no op or no cases", name)
		}
	}
	return files
}

// TestConformance runs every case of every file. An operation that nobody knows is a failure.
func TestConformance(t *testing.T) {
	for _, f := range readVectors(t) {
		run := conformanceOf(f.Op)
		if run == nil {
			t.Errorf("no test for the operation %q", f.Op)
			continue
		}
		for i := range f.Cases {
			t.Run(fmt.Sprintf("%s/%s", f.Op, f.Cases[i].Name), func(t *testing.T) { run(t, f.Op, &f.Cases[i]) })
		}
	}
}
