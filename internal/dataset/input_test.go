package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lockstep/internal/spec"
)

// reopened is an Info as it comes out of a model: by way of JSON.
func reopened(t *testing.T, info Info) Info {
	t.Helper()
	text, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	var out Info
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestInputIsAsInTraining: new records become the numbers that the dataset makes of them, bit by bit.
func TestInputIsAsInTraining(t *testing.T) {
	dir := t.TempDir()
	var rows []string
	for i := range 50 {
		rows = append(rows, fmt.Sprintf("%v,%s,%v,%v,%s", float64(i)*0.37, []string{"red", "green", "blue"}[i%3], 1000-i*i, i, []string{"no", "yes"}[i%2]))
	}
	if err := os.WriteFile(filepath.Join(dir, "x.csv"), []byte("a,colour,b,c,y\n"+strings.Join(rows, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), spec.Dataset{Format: "csv", Source: dir, Train: spec.Files{File: "x.csv"}, Target: &spec.Target{Column: "y", Type: "category"},
		Features: []spec.Feature{{Column: "a", Type: "number", Preprocessing: "standardize"}, {Column: "colour", Type: "category"},
			{Column: "b", Type: "number", Preprocessing: "min_max"}, {Column: "c", Type: "number"}},
		Preprocessing: []spec.Preprocessor{{Type: "rescale", Scale: 0.3, Offset: 1}, {Type: "standardize"}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	in, err := NewInput(reopened(t, d.Info()))
	if err != nil {
		t.Fatal(err)
	}
	s := d.Split("train")
	var b Batch
	for i := range s.Len() {
		if err := s.Read(&b, []int{i}, 0); err != nil {
			t.Fatal(err)
		}
		got, err := in.Cells(nil, strings.Split(rows[i], ",")[:4])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b.X, got); diff != "" {
			t.Fatalf("record %d: %s", i, diff)
		}
	}
	for cells, column := range map[string]string{"nan,red,1,2": "a", "1,violet,1,2": "colour", "1,,1,2": "colour", "1,red,,2": "b"} {
		var bad *RecordError
		if _, err := in.Cells(nil, strings.Split(cells, ",")); !errors.As(err, &bad) || bad.Column != column {
			t.Errorf("%s: %v, want an error about %s", cells, err, column)
		}
	}
	if _, err := in.Numbers(nil, make([]float64, 6)); err == nil {
		t.Error("categories are taken as numbers")
	}
}

// TestMissingAndUnknown: what the columns say of cells without a value, and of values that training did not see.
func TestMissingAndUnknown(t *testing.T) {
	in, err := NewInput(Info{Shape: []int{4}, Columns: []Column{{Name: "a", Type: "number", Missing: "mean", Fill: 7, Preprocessing: "standardize", Center: 5, Scale: 2},
		{Name: "c", Type: "category", Values: []string{"missing", "u", "unknown"}, Missing: "value", Unknown: "bucket"}}})
	if err != nil {
		t.Fatal(err)
	}
	for cells, want := range map[string][]float32{",": {1, 1, 0, 0}, "5,u": {0, 0, 1, 0}, "9,never": {2, 0, 0, 1}} {
		if got, err := in.Cells(nil, strings.Split(cells, ",")); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, %v", cells, got, err)
		}
	}
	ids, err := NewInput(Info{Shape: []int{2}, Integer: true, Vocab: 5, Columns: []Column{{Name: "a", Type: "category", Encoding: "id", Values: []string{"x", "y"}},
		{Name: "b", Type: "category", Encoding: "id", Values: []string{"p", "q", "r"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ids.Cells(nil, []string{"y", "r"}); err != nil || !cmp.Equal(got, []float32{1, 4}) || ids.Width() != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTextInput(t *testing.T) {
	in, err := NewInput(Info{Shape: []int{3}, Integer: true, Vocab: 3, Classes: []string{"\n", "a", "ß"}})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := in.Tokens(nil, "ßa\n")
	if err != nil || !cmp.Equal(ids, []int32{2, 1, 0}) || in.Text(ids) != "ßa\n" {
		t.Errorf("%v, %v", ids, err)
	}
	if _, err := in.Tokens(nil, "a\nb"); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("an unknown character: %v", err)
	}
	for _, bad := range []float64{-1, 3, 0.5} {
		if _, err := in.IDs(nil, []float64{bad}); err == nil {
			t.Errorf("%v is taken as a token", bad)
		}
	}
}
