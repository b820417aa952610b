package infer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"lockstep/internal/dataset"
	"lockstep/internal/spec"
)

// TestEvaluate compares figures with those counted from single predictions.
func TestEvaluate(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.csv"), []byte("a,c,y\n1,u,no\n-9,v,yes\n4,u,yes\n0,v,no\n30,u,no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := open(t, tableSpec, table())
	d, err := dataset.Open(t.Context(), m.Fitted(spec.Dataset{Format: "csv", Source: dir, Train: spec.Files{File: "x.csv"}, Target: &spec.Target{Column: "y", Type: "category"},
		Features: []spec.Feature{{Column: "a", Type: "number", Preprocessing: "standardize"}, {Column: "c", Type: "category"}}}), 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Evaluate(t.Context(), d, "train", "c")
	if err != nil {
		t.Fatal(err)
	}
	var want [2][2]int
	one := m.NewPredictor(1)
	for _, row := range [][3]string{{"1", "u", "no"}, {"-9", "v", "yes"}, {"4", "u", "yes"}, {"0", "v", "no"}, {"30", "u", "no"}} {
		rec, err := m.FromCells(row[:2])
		if err != nil {
			t.Fatal(err)
		}
		p, err := one.Predict([]Record{rec})
		if err != nil {
			t.Fatal(err)
		}
		want[btoi(row[2] == "yes")][btoi(p[0].Class == "yes")]++
	}
	for i := range want {
		for j, n := range want[i] {
			if r.Confusion[i][j] != n {
				t.Errorf("confusion matrix %v, want %v", r.Confusion, want)
			}
		}
	}
	if got := r.Metrics["accuracy"]; got != float64(want[0][0]+want[1][1])/5 || r.Groups["u"].Records != 3 || r.Groups["v"].Records != 2 {
		t.Errorf("%+v", r)
	}
	if _, err := m.Evaluate(t.Context(), d, "train", "a"); err == nil {
		t.Error("a number is taken as a group")
	}
	if err := r.DrawConfusion(filepath.Join(dir, "c.png")); err != nil {
		t.Error(err)
	}
}

// TestFittedIsTheModels: a dataset with what was fitted for a model has the records that the model was trained on, arrays in
// cells and filled cells included.
func TestFittedIsTheModels(t *testing.T) {
	dir := t.TempDir()
	text := ""
	for i := range 30 {
		q := fmt.Sprint(i * i)
		if i%7 == 0 {
			q = "null"
		}
		text += fmt.Sprintf(`{"p": [%d, %d], "q": %s, "c": "%c", "y": %d}`+"\n", i, 100-i, q, 'u'+i%2, i%3)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.jsonl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, q, c := spec.Feature{Column: "p", Type: "number", Preprocessing: "standardize"}, spec.Feature{Column: "q", Type: "number", Missing: "mean", Preprocessing: "min_max"}, spec.Feature{Column: "c", Type: "category"}
	for _, features := range [][]spec.Feature{{p}, {c, p, q}} {
		d := spec.Dataset{Format: "jsonl", Source: dir, Train: spec.Files{File: "x.jsonl"}, Features: features, Target: &spec.Target{Column: "y", Type: "category"},
			Preprocessing: []spec.Preprocessor{{Type: "standardize"}}, Split: &spec.Split{Train: 0.5, Test: 0.5}}
		trained, err := dataset.Open(t.Context(), d, 1)
		if err != nil {
			t.Fatal(err)
		}
		m := open(t, `
  dataset: {format: jsonl, source: "file:///d", target: {column: y, type: category}}
  model: {layers: [{type: flatten}, {type: dense, units: 3}]}
  loss: {type: cross_entropy}
`, trained.Info())
		again, err := dataset.Open(t.Context(), m.Fitted(d), 1)
		if err != nil {
			t.Fatal(err)
		}
		if again.Info().Fingerprint != trained.Info().Fingerprint {
			t.Error("the records are others")
		}
		group := ""
		if len(features) > 1 {
			group = "c"
		}
		r, err := m.Evaluate(t.Context(), again, "test", group)
		if err != nil || group != "" && r.Groups["u"].Records+r.Groups["v"].Records != 15 {
			t.Errorf("%v %+v", err, r)
		}
	}
}
