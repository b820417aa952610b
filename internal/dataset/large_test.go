package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"lockstep/internal/spec"
)

// A dataset that does not fit is the same as in memory: fingerprint, what is fitted, and every record; and it takes
// little memory.
func TestLargerThanMemory(t *testing.T) {
	const n, size, bound = 20_000, 784, 1 << 20 // 15.7 MB
	pixels := make([]byte, n*size)
	rand.NewChaCha8([32]byte{3}).Read(pixels)
	labels := make([]byte, n)
	for i := range labels {
		labels[i] = pixels[i*size] % 10
	}
	dir := folder(t, map[string][]byte{"x": zipped(idxFile(0x08, []uint32{n, 28, 28}, pixels)), "y": idxFile(0x08, []uint32{n}, labels)})
	d := idxSpec(dir)
	d.Split = &spec.Split{Train: 0.8, Val: 0.2}
	d.Preprocessing = []spec.Preprocessor{{Type: "standardize"}}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	small, err := OpenWith(t.Context(), d, 1, Options{Memory: bound, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	held := heap() - before
	whole := opened(t, d, 1)
	if all := heap() - before - held; held > 2*bound || all < n*size {
		t.Errorf("%d bytes are held under a bound of %d, and %d without", held, bound, all)
	}
	if small.InMemory() || !whole.InMemory() {
		t.Fatal("the bound has no effect")
	}
	if small.Info().Fingerprint != whole.Info().Fingerprint || !slices.Equal(small.Info().Preprocessing[0].Mean, whole.Info().Preprocessing[0].Mean) {
		t.Error("the data is not the same")
	}
	var a, b Batch
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]int, 32)
	for range 50 {
		for i := range rows {
			rows[i] = r.IntN(whole.Split("train").Len())
		}
		small.Split("train").Prefetch(rows, 0)
		if err := small.Split("train").Read(&a, rows, 0); err != nil {
			t.Fatal(err)
		}
		if err := whole.Split("train").Read(&b, rows, 0); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.X, b.X) || !slices.Equal(a.Labels, b.Labels) {
			t.Fatal("records differ")
		}
	}
}

// Tables and texts obey the bound as arrays do, whatever their format, with all that is settled about them.
func TestTablesLargerThanMemory(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	const n = 20_000
	var csv, jsonl, text bytes.Buffer
	csv.WriteString("a,b,k,class\n")
	rows := make([]wideRow, n)
	for i := range n {
		a := fmt.Sprint(i % 977)
		if i%50 == 3 {
			a = ""
		}
		fmt.Fprintf(&csv, "%s,%d,%d,%c\n", a, i, i*7%13, 'x'+i%3)
		fmt.Fprintf(&jsonl, `{"a": [%d, %d], "class": %d}`+"\n", i, i*i%101, i%3)
		fmt.Fprintf(&text, "line %d of %d\n", i, i*i)
		rows[i] = wideRow{A: int64(i), E: []float32{float32(i), 2, 3}, Class: string(rune('x' + i%2))}
	}
	write("t.csv", csv.Bytes())
	write("t.tsv", bytes.ReplaceAll(csv.Bytes(), []byte(","), []byte("\t")))
	write("t.jsonl", jsonl.Bytes())
	write("t.txt", text.Bytes())
	write("t.parquet", parquetFile(t, rows))
	split, class := &spec.Split{Train: 0.7, Val: 0.2, Test: 0.1}, &spec.Target{Column: "class", Type: "category"}
	columns := []spec.Feature{{Column: "a", Type: "number", Missing: "median", Preprocessing: "standardize"}, {Column: "b", Type: "number", Preprocessing: "min_max"}, {Column: "k", Type: "category"}}
	ids := []spec.Feature{{Column: "k", Type: "category", Encoding: "id"}, {Column: "b", Type: "category", Encoding: "id"}}
	for name, d := range map[string]spec.Dataset{
		"csv":     {Format: "csv", Train: spec.Files{File: "t.csv"}, Features: columns, Target: class},
		"tsv":     {Format: "csv", Delimiter: "\t", Train: spec.Files{File: "t.tsv"}, Features: columns, Target: class, Test: &spec.Files{File: "t.tsv"}},
		"ids":     {Format: "csv", Train: spec.Files{File: "t.csv"}, Features: ids, Target: class},
		"jsonl":   {Format: "jsonl", Train: spec.Files{File: "t.jsonl"}, Target: class, Preprocessing: []spec.Preprocessor{{Type: "standardize"}}},
		"parquet": {Format: "parquet", Train: spec.Files{File: "t.parquet"}, Features: []spec.Feature{{Column: "e", Type: "number"}}, Target: class},
		"char":    {Format: "text", Train: spec.Files{File: "t.txt"}, Text: &spec.Text{Tokenizer: "char", SequenceLength: 100}},
		"byte":    {Format: "text", Train: spec.Files{File: "t.txt"}, Text: &spec.Text{Tokenizer: "byte", SequenceLength: 20_000}},
	} {
		t.Run(name, func(t *testing.T) {
			d.Source, d.Split = dir, split
			if d.Test != nil {
				d.Split = &spec.Split{Train: 0.7, Val: 0.2}
			}
			small, err := OpenWith(t.Context(), d, 5, Options{Memory: 64 << 10, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer small.Close()
			whole := opened(t, d, 5)
			if small.InMemory() || !whole.InMemory() {
				t.Fatal("the bound has no effect")
			}
			if a, b := small.Info(), whole.Info(); !reflect.DeepEqual(a, b) {
				t.Errorf("%+v\nwant %+v", a, b)
			}
			compareSplits(t, small, whole)
		})
	}
}

// compareSplits reads some records of each split at random, and expects the same.
func compareSplits(t *testing.T, small, whole *Dataset) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var a, b Batch
	for _, name := range splitNames {
		rows := make([]int, 16)
		for range 20 {
			for i := range rows {
				rows[i] = r.IntN(whole.Split(name).Len())
			}
			small.Split(name).Prefetch(rows, 0)
			if err := errors.Join(small.Split(name).Read(&a, rows, 0), whole.Split(name).Read(&b, rows, 0)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("records of %s differ", name)
			}
		}
	}
}

// A byte-pair encoding is learned from a whole text: one that does not fit is refused, with what to do.
func TestBPELargerThanMemory(t *testing.T) {
	d := spec.Dataset{Format: "text", Source: folder(t, map[string][]byte{"t.txt": bytes.Repeat([]byte("some words "), 20_000)}),
		Train: spec.Files{File: "t.txt"}, Text: &spec.Text{Tokenizer: "bpe", VocabSize: 300, SequenceLength: 10}}
	_, err := OpenWith(t.Context(), d, 1, Options{Memory: 64 << 10, Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "t.txt: 220000 bytes for a byte-pair encoding do not fit into the memory for data (--memory-for-data): raise it, or take tokenizer: byte") {
		t.Error(err)
	}
	small, err := OpenWith(t.Context(), d, 1, Options{Memory: 1 << 20, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	if small.Info().Fingerprint != opened(t, d, 1).Info().Fingerprint || !small.InMemory() {
		t.Error("the data is not the same")
	}
}
