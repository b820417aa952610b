package infer

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lockstep/internal/bundle"
	"lockstep/internal/dataset"
	"lockstep/internal/export"
	"lockstep/internal/rng"
	"lockstep/internal/spec"
	"lockstep/internal/testpython"
)

// open makes a model with random values of a specification and what is known of its data.
func open(t testing.TB, text string, data dataset.Info) *Model {
	t.Helper()
	j, err := spec.Parse("t.yaml", []byte("apiVersion: lockstep/v1\nkind: TrainJob\nmetadata: {name: t}\nspec:\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle.Bundle{Spec: j, Data: data}
	net, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	s := rng.New(1, rng.Weights, 0, 0, 0)
	for _, p := range net.Params() {
		v := make([]float32, p.Len)
		for i := range v {
			v[i] = float32(int32(s.Uint32())) / (1 << 31)
		}
		b.Tensors = append(b.Tensors, export.Tensor{Name: p.Name, Shape: p.Shape, Data: v})
	}
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		t.Fatal(err)
	}
	if b, err = bundle.Read(&file); err != nil {
		t.Fatal(err)
	}
	m, err := Open(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const (
	tableSpec = `
  dataset: {format: csv, source: "file:///d", train: {file: x.csv}, target: {column: y, type: category}}
  model: {layers: [{type: dense, units: 4, activation: relu}, {type: dense, units: 2}]}
  loss: {type: cross_entropy}
`
	imageSpec = `
  dataset: {format: idx, source: "file:///d", train: {images: a, labels: b}}
  model: {layers: [{type: flatten}, {type: dense, units: 3}]}
  loss: {type: cross_entropy}
`
	textSpec = `
  dataset: {format: text, source: "file:///d", train: {file: x.txt}, text: {tokenizer: char, sequence_length: 8}}
  model: {layers: [{type: embedding, input_dim: vocab_size, output_dim: 4}, {type: lstm, units: 8, return_sequences: true}, {type: dense, units: vocab_size}]}
  loss: {type: cross_entropy}
`
)

func table() dataset.Info {
	return dataset.Info{Shape: []int{3}, Classes: []string{"no", "yes"}, ClassCount: 2, Columns: []dataset.Column{
		{Name: "a", Type: "number", Preprocessing: "standardize", Center: 2, Scale: 4}, {Name: "c", Type: "category", Values: []string{"u", "v"}}}}
}

func images() dataset.Info {
	return dataset.Info{Shape: []int{2, 3, 1}, Classes: []string{"x", "y", "z"}, ClassCount: 3, Preprocessing: []spec.Preprocessor{{Type: "rescale", Scale: 0.5}}}
}

func text() dataset.Info {
	return dataset.Info{Shape: []int{8}, TargetShape: []int{8}, Integer: true, Vocab: 4, Classes: []string{" ", "a", "b", "ß"}, ClassCount: 4}
}

func read(t *testing.T, m *Model, how func(string, func(Record) error) error) (out []Record) {
	t.Helper()
	if err := how("f", func(r Record) error { out = append(out, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFormatsAgree: the same records in every form are the same inputs.
func TestFormatsAgree(t *testing.T) {
	m := open(t, tableSpec, table())
	want := []Record{{X: []float32{0, 0, 1}}, {X: []float32{-0.5, 1, 0}}}
	for name, got := range map[string][]Record{
		"csv": read(t, m, func(f string, e func(Record) error) error {
			return m.ReadCSV(f, strings.NewReader("c,other,a\nv,1,2\nu,,0\n"), e)
		}),
		"array": read(t, m, func(f string, e func(Record) error) error {
			return m.ReadJSON(f, strings.NewReader(` [{"a": 2, "c": "v"}, {"a": "0", "c": "u"}] `), e)
		}),
		"objects": read(t, m, func(f string, e func(Record) error) error {
			return m.ReadJSON(f, strings.NewReader("{\"a\":2,\"c\":\"v\"}\n{\"a\":0,\"c\":\"u\"}\n"), e)
		}),
	} {
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	im := open(t, imageSpec, images())
	flat := []Record{{X: []float32{0.5, 1, 1.5, 2, 2.5, 3}}}
	for _, text := range []string{`[[1,2,3,4,5,6]]`, `[[[1],[2],[3]],[[4],[5],[6]]]`, `[[[[1],[2],[3]],[[4],[5],[6]]]]`} {
		if d := cmp.Diff(flat, read(t, im, func(f string, e func(Record) error) error { return im.ReadJSON(f, strings.NewReader(text), e) })); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestBadRecordsAreNamed(t *testing.T) {
	m, im := open(t, tableSpec, table()), open(t, imageSpec, images())
	ignore := func(Record) error { return nil }
	for want, err := range map[string]error{
		`f: record 2 (line 3), column "a": "NaN" is not a finite number`: m.ReadCSV("f", strings.NewReader("a,c\n1,u\nNaN,u\n"), ignore),
		`f: line 1: no column "c"`:                                       m.ReadCSV("f", strings.NewReader("a,b\n1,u\n"), ignore),
		`column "c": "w" is not among the values`:                        m.ReadCSV("f", strings.NewReader("a,c\n1,w\n"), ignore),
		`there is none for column "c"`:                                   m.ReadCSV("f", strings.NewReader("a,c\n1\n"), ignore),
		`f: record 1: no "c"`:                                            m.ReadJSON("f", strings.NewReader(`[{"a":1}]`), ignore),
		`f: record 1, column "c": "[1]" is no value of a category`:       m.ReadJSON("f", strings.NewReader(`[{"a":1,"c":[1]}]`), ignore),
		`f: record 2: unexpected EOF`:                                    m.ReadJSON("f", strings.NewReader(`[{"a":1,"c":"u"},{"a"`), ignore),
		`f: record 1: 2 numbers, want 6`:                                 im.ReadJSON("f", strings.NewReader(`[[1,2]]`), ignore),
		`f: record 1: more than 6 numbers`:                               im.ReadJSON("f", strings.NewReader(`[[1,2,3,4,5,6,7]]`), ignore),
		`null is not a number`:                                           im.ReadJSON("f", strings.NewReader(`[[null]]`), ignore),
		`f: not an npy file`:                                             im.ReadNpy("f", strings.NewReader("PK345678"), ignore),
		`f: not an image: want PNG, JPEG, GIF, BMP or WebP`:              im.ReadImage("f", strings.NewReader("PK"), ignore),
	} {
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "<nil>", "null"), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestPredictionsDoNotDependOnTheBatch, and probabilities are what softmax makes of the outputs.
func TestPredictionsDoNotDependOnTheBatch(t *testing.T) {
	m := open(t, tableSpec, table())
	var records []Record
	for i := range 7 {
		records = append(records, Record{X: []float32{float32(i) - 3, float32(i % 2), float32(1 - i%2)}})
	}
	all, err := m.NewPredictor(7).Predict(records)
	if err != nil {
		t.Fatal(err)
	}
	one := m.NewPredictor(1)
	for i, r := range records {
		got, err := one.Predict([]Record{r})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(all[i], got[0]); d != "" {
			t.Error(d)
		}
		y := got[0].Output
		yes := 1 / (1 + math.Exp(float64(y[0]-y[1])))
		class, p := "yes", yes
		if yes < 0.5 {
			class, p = "no", 1-yes
		}
		if got[0].Class != class || math.Abs(got[0].Probability-p) > 1e-6 {
			t.Errorf("%+v: want %s with %v", got[0], class, p)
		}
	}
}

func TestGenerate(t *testing.T) {
	m := open(t, textSpec, text())
	make := func(g Generation) string {
		var b strings.Builder
		if err := m.Generate(g, func(s string) error { b.WriteString(s); return nil }); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	a := make(Generation{Prompt: "a", Length: 40, Temperature: 1, Seed: 3})
	if n := len([]rune(a)); n != 40 {
		t.Errorf("%d characters", n)
	}
	if b := make(Generation{Prompt: "a", Length: 40, Temperature: 1, Seed: 3}); a != b {
		t.Error("the same seed gives another text")
	}
	if b := make(Generation{Prompt: "a", Length: 40, Temperature: 1, Seed: 4}); a == b {
		t.Error("another seed gives the same text")
	}
	if a, b := make(Generation{Prompt: "a", Length: 20, Seed: 1}), make(Generation{Prompt: "a", Length: 20, Seed: 2}); a != b {
		t.Error("without temperature the seed shows")
	}
	for _, bad := range []Generation{{Prompt: ""}, {Prompt: "q"}, {Prompt: "a", Temperature: -1}} {
		if err := m.Generate(bad, nil); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	if err := open(t, tableSpec, table()).Generate(Generation{Prompt: "a"}, nil); err == nil {
		t.Error("a model of tables generates")
	}
}

// TestNumpy: numpy's files are read, and it reads ours.
func TestNumpy(t *testing.T) {
	python := testpython.Find(t, "numpy")
	dir := t.TempDir()
	testpython.Run(t, python, `
import sys, numpy as np
a = np.array([[1,2,3,4,5,6],[6,5,4,3,2,1]]).reshape(2, 2, 3, 1)
for d in ('<f4', '>f8', 'u1', '<i8', '>u2'):
    np.save(sys.argv[1] + '/' + d.strip('<>') + '.npy', a.astype(d))
`, dir)
	m := open(t, imageSpec, images())
	want := []Record{{X: []float32{0.5, 1, 1.5, 2, 2.5, 3}}, {X: []float32{3, 2.5, 2, 1.5, 1, 0.5}}}
	for _, name := range []string{"f4", "f8", "u1", "i8", "u2"} {
		raw, err := os.ReadFile(filepath.Join(dir, name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, m, func(f string, e func(Record) error) error { return m.ReadNpy(f, bytes.NewReader(raw), e) })
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	predictions, err := m.NewPredictor(2).Predict(want)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := NewWriter(&b, "npy", m)
	if err != nil {
		t.Fatal(err)
	}
	var outputs [][]float32
	for _, p := range predictions {
		outputs = append(outputs, p.Output)
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.npy")
	if err := os.WriteFile(out, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var got [][]float32
	if err := json.Unmarshal(testpython.Run(t, python, "import sys, json, numpy as np; json.dump(np.load(sys.argv[1]).tolist(), sys.stdout)", out), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(outputs, got); d != "" {
		t.Error(d)
	}
}

func FuzzReadJSON(f *testing.F) {
	m, im := open(f, tableSpec, table()), open(f, imageSpec, images())
	f.Add([]byte(`[{"a":2,"c":"v"}]`))
	f.Add([]byte(`[[[1],[2],[3]],[[4],[5],[6]]]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, m := range []*Model{m, im} {
			err := m.ReadJSON("f", bytes.NewReader(raw), func(r Record) error {
				if len(r.X) != m.Input.Width() {
					t.Errorf("a record of %d numbers", len(r.X))
				}
				return nil
			})
			_ = err
		}
	})
}

func FuzzReadNpy(f *testing.F) {
	m := open(f, imageSpec, images())
	var b bytes.Buffer
	if err := WriteNpyHeader(&b, []int{1, 2, 3, 1}); err != nil {
		f.Fatal(err)
	}
	f.Add(append(b.Bytes(), make([]byte, 24)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = m.ReadNpy("f", bytes.NewReader(raw), func(r Record) error {
			if len(r.X) != 6 {
				t.Errorf("a record of %d numbers", len(r.X))
			}
			return nil
		})
	})
}
