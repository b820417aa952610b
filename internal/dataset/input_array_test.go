package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/internal/spec"
)

// arrayRow is a row of a table whose cells are arrays.
type arrayRow struct {
	P [][]float64 `parquet:"p,list"`
	Q float64     `parquet:"q"`
	K string      `parquet:"k"`
}

// arrayTables writes a table as jsonl and as parquet; the cells of its column p are arrays of 2x3 numbers.
func arrayTables(t *testing.T) (dir string, lines []string) {
	dir = t.TempDir()
	var rows []arrayRow
	for i := range 40 {
		f := float64(i)
		r := arrayRow{P: [][]float64{{f, f * f, -f}, {f * 0.1, 7, f - 20}}, Q: 3 * f, K: []string{"u", "v"}[i%2]}
		rows = append(rows, r)
		lines = append(lines, fmt.Sprintf(`{"p": [[%v, %v, %v], [%v, 7, %v]], "q": %v, "k": %q, "more": {"x": 1}}`, r.P[0][0], r.P[0][1], r.P[0][2], r.P[1][0], r.P[1][2], r.Q, r.K))
	}
	for name, content := range map[string][]byte{"t.jsonl": []byte(strings.Join(lines, "\n")), "t.parquet": parquetFile(t, rows)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir, lines
}

// New records with arrays in them become the numbers that the dataset makes of them, from JSON and from parquet.
func TestArrayInputIsAsInTraining(t *testing.T) {
	dir, lines := arrayTables(t)
	p, q, k := spec.Feature{Column: "p", Type: "number", Preprocessing: "standardize"}, spec.Feature{Column: "q", Type: "number", Preprocessing: "min_max"}, spec.Feature{Column: "k", Type: "category"}
	plain := p
	plain.Preprocessing = ""
	for name, features := range map[string][]spec.Feature{"alone": {p}, "alone, plain": {plain}, "among others": {q, p, k}, "plain among others": {q, plain, k}} {
		t.Run(name, func(t *testing.T) {
			d := opened(t, spec.Dataset{Format: "jsonl", Source: dir, Train: spec.Files{File: "t.jsonl"}, Features: features,
				Preprocessing: []spec.Preprocessor{{Type: "standardize"}}}, 1)
			in, err := NewInput(reopened(t, d.Info()))
			if err != nil {
				t.Fatal(err)
			}
			want := whole(t, d.Split("train")).X
			var fromJSON, fromParquet []float32
			for _, line := range lines {
				cells, err := in.Object([]byte(line))
				if err == nil {
					fromJSON, err = in.Cells(fromJSON, cells)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			err = in.Parquet(t.Context(), filepath.Join(dir, "t.parquet"), func(cells []string) error {
				fromParquet, err = in.Cells(fromParquet, cells)
				return err
			})
			if err != nil || !slices.Equal(fromJSON, want) || !slices.Equal(fromParquet, want) {
				t.Errorf("%v\n%v\n%v\nwant %v", err, fromJSON[:12], fromParquet[:12], want[:12])
			}
		})
	}
}

func TestArrayInputBad(t *testing.T) {
	in, err := NewInput(Info{Shape: []int{5}, Columns: []Column{{Name: "p", Type: "number", Shape: []int{2, 2}}, {Name: "q", Type: "number"}}})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		`{"p": [[1, 2, 3], [4, 5, 6]], "q": 1}`: `column "p": "[[1, 2, 3], [4, 5, 6]]" is an array of 2x3 numbers, the model reads an array of 2x2 numbers`,
		`{"p": [[1, 2], [4]], "q": 1}`:          `is a ragged or empty array`,
		`{"p": [[1, 2], [4, "x"]], "q": 1}`:     `column "p": "[[1, 2], [4, \"x\"]]" is not a number`,
		`{"p": [[1, 2], [4, null]], "q": 1}`:    `has null among its numbers`,
		`{"p": 7, "q": 1}`:                      `column "p": "7" is one number, the model reads an array of 2x2 numbers`,
		`{"p": null, "q": 1}`:                   `column "p": "" is missing, the model reads an array of 2x2 numbers`,
		`{"p": "old", "q": 1}`:                  `column "p": "old" is not an array such as [1, 2], the model reads an array of 2x2 numbers`,
		`{"p": [[1, 2], [3, 4]], "q": [1]}`:     `column "q": "[1]" is an array, the model reads a number`,
		`{"p": [[1, 2], [3, 4]], "q": {}}`:      `column "q": "{}" is neither a number nor a text`,
		`{"q": 1}`:                              `no "p", which the model reads`,
	} {
		cells, err := in.Object([]byte(line))
		if err == nil {
			_, err = in.Cells(nil, cells)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", line, err, want)
		}
	}
	if _, err := NewInput(Info{Columns: []Column{{Name: "p", Type: "number", Shape: []int{2}, Preprocessing: "standardize"}}}); err == nil {
		t.Error("a model that does not say how its arrays were preprocessed is used")
	}
}

// An array of the wrong shape in a parquet file is named with file and record.
func TestArrayInputParquetBad(t *testing.T) {
	dir, _ := arrayTables(t)
	in, err := NewInput(Info{Shape: []int{4}, Columns: []Column{{Name: "p", Type: "number", Shape: []int{4}}}})
	if err != nil {
		t.Fatal(err)
	}
	err = in.Parquet(t.Context(), filepath.Join(dir, "t.parquet"), func(cells []string) error {
		_, err := in.Cells(nil, cells)
		return err
	})
	var at *RecordError
	if !errors.As(err, &at) || at.Record != 1 || at.Column != "p" || !strings.HasSuffix(at.File, "t.parquet") || !strings.Contains(err.Error(), "is an array of 2x3 numbers, the model reads an array of 4 numbers") {
		t.Errorf("%v", err)
	}
}

// Arrays of NumPy's are read whatever their elements are, if they have as many numbers as the model reads.
func TestNpyInput(t *testing.T) {
	in, err := NewInput(Info{Shape: []int{2, 2}})
	if err != nil {
		t.Fatal(err)
	}
	half := npyFile("<f2", false, "(2, 2, 2)", []uint16{0x3c00, 0xc000, 0, 0x4000, 0x3c00, 0x3c00, 0x3c00, 0x3c00})
	var got []float64
	keep := func(record int, raw []float64) error { got = append(got, raw...); return nil }
	if err := in.Npy("x.npy", strings.NewReader(string(half)), keep); err != nil || !slices.Equal(got, []float64{1, -2, 0, 2, 1, 1, 1, 1}) {
		t.Errorf("%v, %v", got, err)
	}
	for content, want := range map[string]string{
		string(npyFile("<f4", false, "(2, 3)", make([]float32, 6))):         "x.npy: records of shape [3], the model reads 4 numbers: [2 2]",
		string(npyFile("<f4", true, "(2, 2, 2)", make([]float32, 8))):       "x.npy: its first axis is the fastest: save it in C order (numpy.ascontiguousarray)",
		string(half[:len(half)-1]):                                          "x.npy: record 2: the file ends here",
		string(half) + "x":                                                  "x.npy: there is data after the 2 records that the header announces",
		string(npyFile("<f4", false, "(3, 999999999999)", make([]byte, 0))): "x.npy: records of 999999999999 elements, over the limit of 67108864",
		"a,b\n1,2\n3,4\n":                                                   `x.npy: not an npy file: it begins with "a,b\n1,"`,
	} {
		if err := in.Npy("x.npy", strings.NewReader(content), keep); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}
