package spec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResolveSource(t *testing.T) {
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, source, want string }{
		{"/jobs/a.yaml", "data/x.csv", "file:///jobs/data/x.csv"},
		{"/jobs/a.yaml", "../x y.csv", "file:///x%20y.csv"},
		{"/jobs/a.yaml", "/abs/x", "file:///abs/x"},
		{"/jobs/a.yaml", "https://h/x", "https://h/x"},
		{"/jobs/a.yaml", "dataset://digits", "dataset://digits"},
		{"-", "x", "file://" + filepath.ToSlash(cwd) + "/x"},
		{"a.yaml", "x", "file://" + filepath.ToSlash(cwd) + "/x"},
	} {
		j := &Job{Spec: TrainJob{Dataset: Dataset{Source: c.source}, InitFrom: &InitFrom{File: c.source}}}
		if err := j.ResolveSource(c.file); err != nil {
			t.Fatal(err)
		}
		if j.Spec.Dataset.Source != c.want || j.Spec.InitFrom.File != c.want {
			t.Errorf("%s in %s: got %s and %s, want %s", c.source, c.file, j.Spec.Dataset.Source, j.Spec.InitFrom.File, c.want)
		}
		path, ok := LocalPath(c.want)
		if local := strings.HasPrefix(c.want, "file:"); ok != local || local && strings.Contains(path, "%") {
			t.Errorf("local path of %s is %q, %t", c.want, path, ok)
		}
	}
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"train-images.gz", "train-labels.gz"} {
		if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "data", name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, source, train, more, want string }{
		{"all there", "data", "{images: train-images.gz, labels: train-labels.gz}", "", ""},
		{"elsewhere", "https://example.org/data", "{images: a}", "", ""},
		{"misspelt folder", "dta", "{images: a}", "", `job.yaml:2:34: DIR/dta does not exist
  dataset: {format: idx, source: "dta", train: {images: a}}
                                 ^
hint: did you mean "DIR/data"?`},
		{"deep in a misspelt folder", "dat/deep", "{images: a}", "", `job.yaml:2:34: DIR/dat/deep does not exist
  dataset: {format: idx, source: "dat/deep", train: {images: a}}
                                 ^
hint: did you mean "DIR/data/deep"?`},
		{"nothing near", "elsewhere/x", "{images: a}", "", `job.yaml:2:34: DIR/elsewhere/x does not exist
  dataset: {format: idx, source: "elsewhere/x", train: {images: a}}
                                 ^
hint: DIR/elsewhere does not exist`},
		{"misspelt files", "data", "{images: train-image.gz, labels: labels}", "init_from: {file: w.safetensors}", `job.yaml:2:58: DIR/data/train-image.gz does not exist
  dataset: {format: idx, source: "data", train: {images: train-image.gz, labels: labels}}
                                                         ^
hint: did you mean "DIR/data/train-images.gz"?
job.yaml:2:82: DIR/data/labels does not exist
  dataset: {format: idx, source: "data", train: {images: train-image.gz, labels: labels}}
                                                                                 ^
hint: did you mean "DIR/data/train-labels.gz"?
job.yaml:5:21: DIR/w.safetensors does not exist
  init_from: {file: w.safetensors}
                    ^`},
		{"file as a folder", "data/train-images.gz", "{images: a}", "", `job.yaml:2:74: DIR/data/train-images.gz/a does not exist
  dataset: {format: idx, source: "data/train-images.gz", train: {images: a}}
                                                                         ^
hint: DIR/data/train-images.gz is not a folder`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "spec:\n  dataset: {format: idx, source: \"" + c.source + "\", train: " + c.train + "}\n  model: {layers: [{type: dense, units: 1}]}\n  loss: {type: mse}\n"
			if c.more != "" {
				text += "  " + c.more + "\n"
			}
			j, err := Parse("job.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := j.ResolveSource(filepath.Join(dir, "job.yaml")); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := CheckFiles("job.yaml", []byte(text), j); err != nil {
				got = strings.ReplaceAll(err.Error(), dir, "DIR")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
