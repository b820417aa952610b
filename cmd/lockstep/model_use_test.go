package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// A table of two numbers and a category, whose class is told by the first number's sign.
const signSpec = `apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: sign}
spec:
  seed: 3
  dataset:
    format: csv
    source: .
    delimiter: ";"
    train: {file: sign.csv}
    split: {train: 0.7, test: 0.3}
    features: [{column: a, type: number}, {column: b, type: number, missing: mean}, {column: kind, type: category}]
    target: {column: class, type: category}
  model: {layers: [{type: dense, units: 8, activation: relu}, {type: dense, units: 2}]}
  loss: {type: cross_entropy}
  metrics: [accuracy]
  optimizer: {type: adam, learning_rate: 0.05}
  training: {epochs: 12, global_batch_size: 16}
  export: {formats: [bundle]}
`

const letterSpec = `apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: letters}
spec:
  seed: 3
  dataset:
    format: text
    source: .
    train: {file: letters.txt}
    text: {tokenizer: char, sequence_length: 8}
  model: {layers: [{type: embedding, input_dim: vocab_size, output_dim: 8}, {type: dense, units: vocab_size}]}
  loss: {type: cross_entropy}
  optimizer: {type: adam, learning_rate: 0.1}
  training: {epochs: 8, global_batch_size: 8}
  export: {formats: [bundle]}
`

// wordSpec reads tokens of byte pairs: in a text of four words, whole words.
const wordSpec = `apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: words}
spec:
  seed: 3
  dataset:
    format: text
    source: .
    train: {file: words.txt}
    text: {tokenizer: bpe, vocab_size: 280, sequence_length: 4}
  model: {layers: [{type: embedding, input_dim: vocab_size, output_dim: 8}, {type: dense, units: vocab_size}]}
  loss: {type: cross_entropy}
  optimizer: {type: adam, learning_rate: 0.1}
  training: {epochs: 8, global_batch_size: 8}
  export: {formats: [bundle]}
`

// pointSpec reads arrays in cells: pairs of numbers, whose class is told by the first one's sign.
const pointSpec = `apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: points}
spec:
  seed: 3
  dataset:
    format: jsonl
    source: points.jsonl
    split: {train: 0.7, test: 0.3}
    features: [{column: point, type: number, preprocessing: standardize}]
    target: {column: class, type: category}
  model: {layers: [{type: dense, units: 8, activation: relu}, {type: dense, units: 2}]}
  loss: {type: cross_entropy}
  metrics: [accuracy]
  optimizer: {type: adam, learning_rate: 0.05}
  training: {epochs: 12, global_batch_size: 16}
  export: {formats: [bundle]}
`

// pointRow is a record of pairs without its class.
type pointRow struct {
	Point []float64 `parquet:"point,list" json:"point"`
}

// signRow is a record of the table without its class.
type signRow struct {
	Kind string   `parquet:"kind" json:"kind"`
	A    float64  `parquet:"a" json:"a"`
	B    *float64 `parquet:"b,optional" json:"b"`
}

// bundleOf trains a specification in this folder, and returns its bundle.
func bundleOf(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name+".yaml", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	r := command(t, "run", name+".yaml", "--coordinators", "1", "--workers", "1")
	r.want(t, 0, nil, nil)
	bundle, err := filepath.Abs(name + ".bundle.safetensors")
	if _, missing := os.Stat(bundle); err != nil || missing != nil {
		t.Fatal(err, missing, r.err)
	}
	return bundle
}

// TestModelsInUse trains two tiny models, and uses them in every way that there is.
func TestModelsInUse(t *testing.T) {
	noEnvironment(t)
	t.Chdir(t.TempDir())
	var table strings.Builder
	table.WriteString("a;b;kind;class\n")
	for i := range 200 {
		a := float64(i%20) - 9.5
		fmt.Fprintf(&table, "%v;%d;%s;%s\n", a, i%7, []string{"left", "right"}[i%2], map[bool]string{true: "plus", false: "minus"}[a > 0])
	}
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("sign.csv", table.String())
	write("letters.txt", strings.Repeat("abcd", 100))
	write("words.txt", strings.Repeat(" low lower lowest", 80))
	var points strings.Builder
	for i := range 200 {
		fmt.Fprintf(&points, "{\"point\": [%v, %d], \"class\": %q}\n", float64(i%20)-9.5, 1000+i%7, []string{"minus", "plus"}[i%20/10])
	}
	write("points.jsonl", points.String())
	sign, letters := bundleOf(t, "sign", signSpec), bundleOf(t, "letters", letterSpec)
	words, pointed := bundleOf(t, "words", wordSpec), bundleOf(t, "points", pointSpec)

	t.Run("predict", func(t *testing.T) { predictEverything(t, sign, write) })
	t.Run("evaluate", func(t *testing.T) { evaluateEverything(t, sign) })
	t.Run("generate", func(t *testing.T) {
		command(t, "model", "generate", letters, "--prompt", "ab", "--length", "6", "--temperature", "0").want(t, 0, []string{"abcdabcd\n"}, nil)
		a := command(t, "model", "generate", letters, "--prompt", "a", "--length", "9", "--seed", "7")
		b := command(t, "model", "generate", letters, "--prompt", "a", "--length", "9", "--seed", "7")
		if a.code != 0 || a.out != b.out || len(a.out) != len("a")+9+len("\n") {
			t.Errorf("%q and %q", a.out, b.out)
		}
		var g generated
		r := command(t, "model", "generate", letters, "--prompt", "a", "--length", "9", "--seed", "7", "-o", "json")
		if err := json.Unmarshal([]byte(r.out), &g); err != nil || g != (generated{letters, "a", 1, 7, strings.TrimSuffix(a.out, "\n")}) {
			t.Errorf("%v: %s", err, r.out)
		}
		command(t, "model", "generate", letters, "--prompt", "z").want(t, 1, nil, []string{`the character 'z' is not in the model's vocabulary`})
	})
	t.Run("generate byte pairs", func(t *testing.T) {
		command(t, "model", "generate", words, "--prompt", " low", "--length", "4", "--temperature", "0").want(t, 0, []string{" low lower lowest low lower\n"}, nil)
		command(t, "model", "generate", words, "--prompt", "", "--length", "4").want(t, 1, nil, []string{"the prompt is empty"})
	})
	t.Run("arrays", func(t *testing.T) { predictArrays(t, pointed, write) })
	t.Run("serve", func(t *testing.T) { serveOne(t, sign) })
}

// predictEverything has the same records predicted from files of every format, and prints them in every format.
func predictEverything(t *testing.T, sign string, write func(name, text string)) {
	x := 3.0
	rows := []signRow{{"left", 9, &x}, {"right", -9, nil}}
	write("new.csv", "kind;ignored;a;b\nleft;1;9;3\nright;1;-9;\n")
	write("new.tsv", "b\ta\tkind\n3\t9\tleft\n\t-9\tright\n")
	var lines strings.Builder
	for _, r := range rows {
		b, _ := json.Marshal(r)
		lines.Write(append(b, '\n'))
	}
	write("new.jsonl", lines.String())
	if err := parquet.WriteFile("new.parquet", rows); err != nil {
		t.Fatal(err)
	}
	want := command(t, "model", "predict", sign, "new.csv")
	want.want(t, 0, []string{"plus", "minus"}, nil)
	if n := strings.Count(want.out, "\n"); n != 3 {
		t.Errorf("%d lines:\n%s", n, want.out)
	}
	for _, file := range []string{"new.tsv", "new.jsonl", "new.parquet"} {
		if r := command(t, "model", "predict", sign, file); r.code != 0 || r.out != want.out {
			t.Errorf("%s: %s%s\nwant %s", file, r.out, r.err, want.out)
		}
	}
	if r := commandIn(t.Context(), readText(t, "new.csv"), "model", "predict", sign); r.out != want.out {
		t.Errorf("standard input: %s%s", r.out, r.err)
	}
	if r := commandIn(t.Context(), readText(t, "new.tsv"), "model", "predict", sign, "-", "--input-format", "tsv", "--batch", "1"); r.out != want.out {
		t.Errorf("standard input: %s%s", r.out, r.err)
	}
	r := command(t, "model", "predict", sign, "new.csv", "--format", "json")
	var printed []struct{ Class string }
	if err := json.Unmarshal([]byte(r.out), &printed); err != nil || len(printed) != 2 || printed[0].Class != "plus" || printed[1].Class != "minus" {
		t.Errorf("%v: %s", err, r.out)
	}
	command(t, "model", "predict", sign, "new.csv", "--format", "npy", "--output", "out.npy").want(t, 0, nil, nil)
	if b := readText(t, "out.npy"); !strings.HasPrefix(b, "\x93NUMPY") || !strings.Contains(b, "(2, 2)") {
		t.Errorf("%q", b)
	}
	write("bad.csv", "kind;a;b\nleft;one;3\n")
	command(t, "model", "predict", sign, "bad.csv").want(t, 1, nil, []string{`bad.csv: record 1 (line 2), column "a": "one" is not a number`})
	write("unknown.csv", "kind;a;b\nleft;1;3\nabove;1;3\n")
	command(t, "model", "predict", sign, "unknown.csv").want(t, 1, nil, []string{`unknown.csv: record 2 (line 3), column "kind": "above" is not among the values "left", "right"`})
	write("bad.parquet", "PAR1")
	command(t, "model", "predict", sign, "bad.parquet").want(t, 1, nil, []string{"bad.parquet: not a parquet file, or a truncated one"})
	command(t, "model", "predict", sign, "--input-format", "parquet").want(t, 1, nil, []string{"give its name"})
}

// predictArrays has records whose cells are arrays predicted from files of every format that has arrays.
func predictArrays(t *testing.T, pointed string, write func(name, text string)) {
	rows := []pointRow{{[]float64{9, 1003}}, {[]float64{-9, 1001}}}
	write("p.jsonl", "{\"point\": [9, 1003]}\n{\"point\": [-9, 1001], \"more\": [1]}\n")
	write("p.json", "[[9, 1003], [-9, 1001]]")
	write("p.csv", "more,point\n1,\"[9, 1003]\"\n2,\"[-9, 1001]\"\n")
	write("p.npy", string(npy(t, "<i8", "(2, 2)", []int64{9, 1003, -9, 1001})))
	if err := parquet.WriteFile("p.parquet", rows); err != nil {
		t.Fatal(err)
	}
	want := command(t, "model", "predict", pointed, "p.jsonl")
	want.want(t, 0, []string{"plus", "minus"}, nil)
	for _, file := range []string{"p.json", "p.csv", "p.npy", "p.parquet"} {
		if r := command(t, "model", "predict", pointed, file); r.code != 0 || r.out != want.out {
			t.Errorf("%s: %s%s\nwant %s", file, r.out, r.err, want.out)
		}
	}
	if r := command(t, "model", "evaluate", pointed); r.code != 0 || !strings.Contains(r.out, "accuracy") {
		t.Errorf("%s%s", r.out, r.err)
	}
	write("q.jsonl", "{\"point\": [9, 3]}\n{\"point\": [9, 3, 4]}\n")
	command(t, "model", "predict", pointed, "q.jsonl").want(t, 1, nil, []string{`q.jsonl: record 2, column "point": "[9, 3, 4]" is an array of 3 numbers, the model reads an array of 2 numbers`})
	write("q.npy", string(npy(t, "<f4", "(2, 3)", make([]float32, 6))))
	command(t, "model", "predict", pointed, "q.npy").want(t, 1, nil, []string{"q.npy: records of shape [3], the model reads 2 numbers: [2]"})
	if err := parquet.WriteFile("q.parquet", []pointRow{rows[0], {[]float64{1}}}); err != nil {
		t.Fatal(err)
	}
	command(t, "model", "predict", pointed, "q.parquet").want(t, 1, nil, []string{`q.parquet: record 2, column "point": "[1]" is an array of 1 numbers, the model reads an array of 2 numbers`})
}

func evaluateEverything(t *testing.T, sign string) {
	r := command(t, "model", "evaluate", sign, "--group-by", "kind", "--confusion", "matrix.png")
	r.want(t, 0, []string{"records", "60", "accuracy", "CLASS", "AS plus", "AS minus", "left", "right"}, nil)
	if b := readText(t, "matrix.png"); !strings.HasPrefix(b, "\x89PNG") {
		t.Errorf("%q", b[:8])
	}
	var report struct {
		Records   int
		Metrics   map[string]float64
		Confusion [][]int `json:"confusion_matrix"`
		Groups    map[string]struct{ Records int }
	}
	r = command(t, "model", "evaluate", sign, "--group-by", "kind", "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err, r.out)
	}
	if report.Records != 60 || report.Groups["left"].Records+report.Groups["right"].Records != 60 || report.Metrics["accuracy"] < 0.9 {
		t.Errorf("%+v", report)
	}
	sum := 0
	for _, row := range report.Confusion {
		for _, v := range row {
			sum += v
		}
	}
	if sum != 60 {
		t.Errorf("confusion %v", report.Confusion)
	}
	command(t, "model", "evaluate", sign, "--split", "val").want(t, 1, nil, []string{"the dataset has no split val"})
	command(t, "model", "evaluate", sign, "--group-by", "b").want(t, 1, nil, []string{`there is no category "b"`})
}

// serveOne serves a model, and has one record predicted.
func serveOne(t *testing.T, sign string) {
	s := start(t, "serve", sign, "--listen", "127.0.0.1:0", "--cores", "1")
	s.says(&s.err, "/v2/models/sign")
	_, rest, _ := strings.Cut(s.err.String(), "http://")
	url, _, _ := strings.Cut(rest, "\n")
	body := `{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [9]}, {"name": "b", "shape": [1], "datatype": "FP32", "data": [3]},
		{"name": "kind", "shape": [1], "datatype": "BYTES", "data": ["left"]}]}`
	answer, err := http.Post("http://"+url+"/infer", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), `"plus"`) {
		t.Errorf("%s %s %v", answer.Status, text, err)
	}
	s.interrupt(nil)
	s.wait()
}
