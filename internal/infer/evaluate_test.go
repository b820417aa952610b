package infer

import (
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
