package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// digitRow is a digit as a row of a parquet or a jsonl file.
type digitRow struct {
	Image [][]int32 `parquet:"image,list"`
	Label int64     `parquet:"label"`
}

func digitRows(t testing.TB) []digitRow {
	tree, err := source.Open(exampleData)
	if err != nil {
		t.Fatal(err)
	}
	f, err := openFile(t.Context(), tree, "digits.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(f); err != nil {
		t.Fatal(err)
	}
	var all []digitRow
	for line := range strings.Lines(text.String()) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		var row digitRow
		for i := range 8 {
			line := make([]int32, 8)
			for j := range line {
				v, _ := strconv.Atoi(cells[8*i+j])
				line[j] = int32(v)
			}
			row.Image = append(row.Image, line)
		}
		row.Label, _ = strconv.ParseInt(cells[64], 10, 64)
		all = append(all, row)
	}
	return all
}

// tableSpec is a digits dataset whose images are one column.
func tableSpec(format, path string) spec.Dataset {
	return spec.Dataset{Format: format, Source: path, Features: []spec.Feature{{Column: "image", Type: "number"}},
		Target: &spec.Target{Column: "label", Type: "category"}, Split: &spec.Split{Train: 0.8, Test: 0.2}}
}

// The digits with their images as one column are the digits as a table.
func TestSameFingerprintFromTables(t *testing.T) {
	want := opened(t, digitsSpec(), 42).Info()
	rows, dir := digitRows(t), t.TempDir()
	var lines bytes.Buffer
	for _, r := range rows {
		fmt.Fprintf(&lines, `{"label": %d, "image": %s}`+"\n", r.Label, strings.ReplaceAll(fmt.Sprint(r.Image), " ", ","))
	}
	jsonl := filepath.Join(dir, "digits.jsonl.gz")
	if err := os.WriteFile(jsonl, zipped(lines.Bytes()), 0o666); err != nil {
		t.Fatal(err)
	}
	columns := filepath.Join(dir, "digits.parquet")
	if err := parquet.WriteFile(columns, rows, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(500)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []spec.Dataset{tableSpec("jsonl", jsonl), tableSpec("parquet", columns)} {
		info := opened(t, d, 42).Info()
		if info.Fingerprint != want.Fingerprint {
			t.Errorf("%s: fingerprint %x, want %x", d.Format, info.Fingerprint, want.Fingerprint)
		}
		if !slices.Equal(info.Shape, []int{8, 8, 1}) {
			t.Errorf("%s: shape %v", d.Format, info.Shape)
		}
	}
}

// pandas writes the same table as csv, tsv and lines of JSON.
func TestPandasFiles(t *testing.T) {
	dir := t.TempDir()
	python(t, "pandas", `
import sys, numpy as np, pandas as pd
d = sys.argv[1]
g = np.random.default_rng(7)
f = pd.DataFrame({"a": g.normal(size=500), "b": g.integers(-9, 9, 500), "kind": g.choice(["x", "y, z", 'q"uo'], 500), "c": g.normal(size=500)*1e-12})
f.loc[3, "a"] = None
f.loc[f.index % 7 == 0, "c"] = None
f.to_csv(d + "/t.csv", index=False)
f.to_csv(d + "/t.tsv", index=False, sep="\t", na_rep="NaN")
f.to_json(d + "/t.jsonl", orient="records", lines=True, double_precision=15)
f.to_json(d + "/full.jsonl", orient="records", lines=True, double_precision=15)
`, dir)
	base := spec.Dataset{Format: "csv", Source: dir, Train: spec.Files{File: "t.csv"}, Target: &spec.Target{Column: "kind", Type: "category"}, Features: []spec.Feature{
		{Column: "a", Type: "number", Missing: "median", Preprocessing: "min_max"}, {Column: "b", Type: "number", Preprocessing: "standardize"}}}
	want := opened(t, base, 1).Info()
	tsv := base
	tsv.Delimiter, tsv.Train.File = "\t", "t.tsv"
	jsonl := base
	jsonl.Format, jsonl.Train.File = "jsonl", "t.jsonl"
	for _, d := range []spec.Dataset{tsv, jsonl} {
		if got := opened(t, d, 1).Info(); got.Fingerprint != want.Fingerprint {
			t.Errorf("%s: %+v\nwant %+v", d.Train.File, got, want)
		}
	}
}

func TestMissing(t *testing.T) {
	const text = "a,k,class\n1,u,x\n,v,y\n4,,x\n10,u,y\nNA,u,x\n"
	for _, c := range []struct {
		a, k spec.Feature
		x    []float32
		want string
	}{
		{a: spec.Feature{Missing: "mean"}, k: spec.Feature{Missing: "value"}, x: []float32{1, 0, 1, 0, 5, 0, 0, 1, 4, 1, 0, 0, 10, 0, 1, 0, 5, 0, 1, 0}},
		{a: spec.Feature{Missing: "median"}, k: spec.Feature{Missing: "value", Unknown: "bucket"}, x: []float32{1, 0, 1, 0, 0, 4, 0, 0, 0, 1, 4, 1, 0, 0, 0, 10, 0, 1, 0, 0, 4, 0, 1, 0, 0}},
		{a: spec.Feature{Missing: "value", Fill: -1}, k: spec.Feature{Missing: "value"}, x: []float32{1, 0, 1, 0, -1, 0, 0, 1, 4, 1, 0, 0, 10, 0, 1, 0, -1, 0, 1, 0}},
		{k: spec.Feature{Missing: "value"}, want: `read train files: a.csv: record 2 (line 3), column "a": "" is not a number: the cell is empty`},
		{a: spec.Feature{Missing: "mean"}, want: `read train files: a.csv: record 3 (line 4), column "k": "" is not a value of a category: the cell is empty`},
	} {
		dir := folder(t, map[string][]byte{"a.csv": []byte(text)})
		d := csvSpec(dir)
		c.a.Column, c.a.Type, c.k.Column, c.k.Type = "a", "number", "k", "category"
		d.Features = []spec.Feature{c.a, c.k}
		if c.want != "" {
			refused(t, d, defaultLimits, dir, c.want)
			continue
		}
		ds := opened(t, d, 1)
		if got := whole(t, ds.Split("train")).X; c.k.Unknown == "bucket" {
			if names := ds.Info().Columns[1].Values; !slices.Equal(names, []string{"missing", "u", "v", "unknown"}) {
				t.Errorf("values %q", names)
			}
			if !slices.Equal(got, []float32{1, 0, 1, 0, 0, 4, 0, 0, 1, 0, 4, 1, 0, 0, 0, 10, 0, 1, 0, 0, 4, 0, 1, 0, 0}) {
				t.Errorf("%v", got)
			}
		} else if !slices.Equal(got, c.x) {
			t.Errorf("%v, want %v", got, c.x)
		}
	}
}

// Only the training split settles what missing numbers are.
func TestMissingIsFittedOnTheTrainingSplit(t *testing.T) {
	dir := folder(t, map[string][]byte{"a.csv": []byte("a\n1\n3\n"), "b.csv": []byte("a\n100\n?\n")})
	d := csvSpec(dir)
	d.Target, d.Test = nil, &spec.Files{File: "b.csv"}
	d.Features = []spec.Feature{{Column: "a", Type: "number", Missing: "mean"}}
	ds := opened(t, d, 1)
	if x := whole(t, ds.Split("test")).X; !slices.Equal(x, []float32{100, 2}) {
		t.Errorf("%v", x)
	}
	if c := ds.Info().Columns[0]; c.Fill != 2 || c.Missing != "mean" {
		t.Errorf("%+v", c)
	}
}

func TestUnknownValuesAndIDs(t *testing.T) {
	dir := folder(t, map[string][]byte{"a.csv": []byte("k,l,class\nu,10,x\nv,9,y\n"), "b.csv": []byte("k,l,class\nw,9,x\n")})
	d := csvSpec(dir)
	d.Test = &spec.Files{File: "b.csv"}
	d.Features = []spec.Feature{{Column: "k", Type: "category", Encoding: "id", Unknown: "bucket"}, {Column: "l", Type: "category", Encoding: "id"}}
	ds := opened(t, d, 1)
	info := ds.Info()
	if !info.Integer || info.Vocab != 5 || !slices.Equal(info.Shape, []int{2}) {
		t.Errorf("%+v", info)
	}
	if b := whole(t, ds.Split("train")); !slices.Equal(b.IDs, []int32{0, 4, 1, 3}) || len(b.X) != 0 || !slices.Equal(b.Labels, []int32{0, 1}) {
		t.Errorf("%+v", b)
	}
	if b := whole(t, ds.Split("test")); !slices.Equal(b.IDs, []int32{2, 3}) {
		t.Errorf("%+v", b)
	}
	d.Features[0].Unknown = ""
	refused(t, d, defaultLimits, dir, `read test files: b.csv: record 1 (line 2), column "k": "w" is not among the values "u", "v"`)
}

// A stratified split has of every class its share; each record is in one split.
func TestStratified(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,class\n")
	for i := range 300 {
		fmt.Fprintf(&text, "%d,%s\n", i, map[bool]string{true: "rare", false: "common"}[i%30 == 0])
	}
	d := csvSpec(folder(t, map[string][]byte{"a.csv": []byte(text.String())}))
	d.Split = &spec.Split{Train: 0.6, Val: 0.2, Test: 0.2, Stratified: true}
	ds := opened(t, d, 5)
	seen := map[float32]bool{}
	for name, want := range map[string][2]int{"train": {174, 6}, "val": {58, 2}, "test": {58, 2}} {
		b := whole(t, ds.Split(name))
		var counts [2]int
		for i, l := range b.Labels {
			counts[l]++
			seen[b.X[i]] = true
		}
		if counts != want || !slices.IsSorted(b.X) {
			t.Errorf("%s: %v, want %v", name, counts, want)
		}
	}
	if len(seen) != 300 {
		t.Errorf("%d different records", len(seen))
	}
	if other := opened(t, d, 6); slices.Equal(whole(t, other.Split("val")).X, whole(t, ds.Split("val")).X) {
		t.Error("two seeds cut alike")
	}
	d.Target, d.Features = nil, []spec.Feature{{Column: "a", Type: "number"}}
	if _, err := Open(t.Context(), d, 5); err == nil || err.Error() != "split: stratified needs records of classes" {
		t.Error(err)
	}
}

func TestJSONLBad(t *testing.T) {
	const first = `{"image": [[1,2],[3,4]], "label": "x"}` + "\n"
	lim := limits{total: 1000, record: 200, values: 3}
	for name, c := range map[string]struct{ text, want string }{
		"empty":       {"\n \n", "no records"},
		"not json":    {first + "{\"image\": [1,}", "record 2 (line 2): not JSON, at character 14: invalid character '}' looking for beginning of value"},
		"no object":   {first + "\n[1]", `record 2 (line 3): not a JSON object: want a line such as {"size": 1.5, "kind": "rose"}`},
		"ragged":      {first + `{"image": [[1,2],[3]], "label": "x"}`, `record 2 (line 2), column "image": "[[1,2],[3]]" ` + errRagged.Error()},
		"mixed":       {first + `{"image": [1,[3]], "label": "x"}`, `record 2 (line 2), column "image": "[1,[3]]" ` + errRagged.Error()},
		"other shape": {first + `{"image": [1,2,3,4], "label": "x"}`, `record 2 (line 2), column "image": "[1,2,3,4]" is an array of 4 numbers, the first record has an array of 2x2 numbers`},
		"null":        {first + `{"image": [[1,null],[3,4]], "label": "x"}`, `record 2 (line 2), column "image": "[[1,null],[3,4]]" has null among its numbers`},
		"absent":      {first + `{"label": "x"}`, `record 2 (line 2), column "image": "null" is not a number: the cell is empty`},
		"text":        {first + `{"image": "a", "label": "x"}`, `record 2 (line 2), column "image": "\"a\"" is not a number`},
		"deep":        {`{"image": [[[[[[[[[1]]]]]]]]], "label": 1}`, `record 1 (line 1), column "image": "[[[[[[[[[1]]]]]]]]]" is an array of more than 8 axes`},
		"large":       {`{"image": 1e40, "label": 1}`, `record 1 (line 1), column "image": "1e40" is out of the range of float32`},
		"long":        {`{"image": 1, "label": 1, "z": "` + strings.Repeat("z", 200) + `"}`, "record 1 (line 1): the row is over the limit"},
		"no column":   {`{"picture": 1, "label": 1}`, `no column "image"; there are "picture", "label"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{"a.jsonl": []byte(c.text)})
			d := tableSpec("jsonl", dir)
			d.Train.File = "a.jsonl"
			sep := ": "
			if strings.HasPrefix(c.want, "read ") {
				sep = ""
			}
			refused(t, d, lim, dir, "read train files: a.jsonl"+sep+c.want)
		})
	}
}

func TestParquetTypes(t *testing.T) {
	type row struct {
		A *float64 `parquet:"a,optional"`
		B uint64   `parquet:"b"`
		C bool     `parquet:"c"`
		D float32  `parquet:"d"`
		K string   `parquet:"k"`
	}
	x := 0.1
	var b bytes.Buffer
	if err := parquet.Write(&b, []row{{&x, 1 << 40, true, 2.5, "u"}, {nil, 3, false, -1, "v"}}); err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string][]byte{"a.parquet": b.Bytes(), "cut": b.Bytes()[:b.Len()-9], "text": []byte("a,b\n1,2\n")})
	d := spec.Dataset{Format: "parquet", Source: dir, Train: spec.Files{File: "a.parquet"}, Target: &spec.Target{Column: "k", Type: "category"}, Features: []spec.Feature{
		{Column: "a", Type: "number", Missing: "value", Fill: 7}, {Column: "b", Type: "number"}, {Column: "c", Type: "number"}, {Column: "d", Type: "number"}}}
	ds := opened(t, d, 1)
	if got := whole(t, ds.Split("train")).X; !slices.Equal(got, []float32{0.1, 1 << 40, 1, 2.5, 7, 3, 0, -1}) || ds.Info().Classes[1] != "v" {
		t.Errorf("%v %v", got, ds.Info().Classes)
	}
	d.Features[0].Missing = ""
	refused(t, d, defaultLimits, dir, `read train files: a.parquet: record 2, column "a": "<null>" is not a number: the cell is empty`)
	for _, name := range []string{"cut", "text"} {
		d.Train.File = name
		if _, err := Open(t.Context(), d, 1); err == nil || !strings.Contains(err.Error(), name+": not a parquet file, or a truncated one") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzJSONL opens anything, and bounds what is held.
func FuzzJSONL(f *testing.F) {
	f.Add([]byte(`{"a": [[1,2],[3,4]], "class": "x"}` + "\n" + `{"a": [[1,2],[3,5]], "class": 3}`))
	f.Add([]byte("\ufeff{\"a\": 1e3, \"class\": true}\n\n{\"a\": null, \"class\": null}"))
	f.Add(zipped([]byte(`{"class": 1.50}`)))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzTable(t, "jsonl", content) })
}

func fuzzTable(t *testing.T, format string, content []byte) {
	lim := limits{total: 4096, record: 512, values: 16}
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	ds, err := open(t.Context(), spec.Dataset{Format: format, Source: path, Target: &spec.Target{Column: "class", Type: "category"}}, 1, lim)
	var e *RecordError
	if err != nil {
		if !errors.As(err, &e) {
			t.Fatalf("error without a place: %v", err)
		}
		return
	}
	records := ds.Split("train").part.records.(*tableRecords)
	if held := 4 * records.n * records.columns; int64(held) > lim.total {
		t.Fatalf("%d bytes held", held)
	}
	whole(t, ds.Split("train"))
}

// The values of categories and the classes are those of all the train files, whatever fractions cut from them.
func TestCategoriesAreOfAllTrainFiles(t *testing.T) {
	d := csvSpec(folder(t, map[string][]byte{"a.csv": []byte("k,class\n" + strings.Repeat("u,x\n", 20) + "rare,y\n")}))
	d.Features = []spec.Feature{{Column: "k", Type: "category"}}
	d.Split = &spec.Split{Train: 0.5, Val: 0.5}
	for seed := range uint64(8) {
		info := opened(t, d, seed).Info()
		if !slices.Equal(info.Columns[0].Values, []string{"rare", "u"}) || !slices.Equal(info.Classes, []string{"x", "y"}) {
			t.Errorf("seed %d: values %q, classes %q", seed, info.Columns[0].Values, info.Classes)
		}
	}
}
