package examples_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lockstep/internal/dataset"
	"lockstep/internal/model"
	"lockstep/internal/spec"
	"lockstep/internal/testcluster"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testcluster.Cleanup()
	os.Exit(code)
}

// figure is what the head of an example promises: a figure of the result, and what it is at least or, of a loss, at most.
type figure struct {
	spec, name string
	bound      float64
}

func (f figure) loss() bool { return strings.HasSuffix(f.name, "_loss") }

func (f figure) kept(got float64) bool {
	if f.loss() {
		return got <= f.bound
	}
	return got >= f.bound
}

var figures = []figure{
	{"digits-mlp", "test_accuracy", 0.96},
	{"digits-npz", "test_accuracy", 0.93},
	{"digits-png", "test_accuracy", 0.82},
	{"iris", "test_accuracy", 0.9},
	{"iris-jsonl", "test_accuracy", 0.9},
	{"iris-missing", "test_accuracy", 0.8},
	{"iris-parquet", "test_accuracy", 0.9},
	{"iris-scaled", "test_r2", 0.95},
	{"two-three-one", "train_loss", 1e-4},
	{"fashion-mlp", "test_accuracy", 0.8833},
	{"fashion-cnn", "test_accuracy", 0.916},
	{"fashion-cnn-bn", "test_accuracy", 0.934},
	{"fashion-lstm", "test_accuracy", 0.888},
	{"fashion-autoencoder", "test_loss", 0.01449}, // that of a PCA to 32 numbers, its pixels cut off at 0 and 1
	{"shakespeare-bpe", "val_loss", 3.70},
	{"shakespeare-lstm", "val_loss", 1.60},
	{"shakespeare-transformer", "val_loss", 1.88},
}

// result is the part of `lockstep run -o json` that is of use here.
type result struct {
	State            string
	Reason           string
	SamplesPerSecond float64 `json:"samples_per_second"`
	Metrics          map[string]float64
}

// train trains a job as a user would.
func train(t *testing.T, job *spec.Job, workers string) result {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "job.yaml")
	if err := os.WriteFile(file, job.Canonical(), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), testcluster.Binary(t, "lockstep"), "run", file, "--workers", workers, "--coordinators", "1",
		"-o", "json", "--output", filepath.Join(dir, "model.safetensors"))
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		t.Fatalf("lockstep run: %v\n%s", err, messages.Bytes())
	}
	var r result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("lockstep run printed %s: %v", out.Bytes(), err)
	}
	return r
}

// load loads an example; the test is skipped where its data are not installed.
func load(t *testing.T, name string) *spec.Job {
	t.Helper()
	job, err := spec.Load(name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	source := job.Spec.Dataset.Source
	if path, ok := spec.LocalPath(source); ok && elsewhere(t, source) {
		if _, err := os.Stat(path); err != nil {
			t.Skip(err)
		}
	}
	return job
}

// TestAccuracy trains every example to its end and compares what it reaches with its figure: LOCKSTEP_CAMPAIGN=accuracy.
func TestAccuracy(t *testing.T) {
	if os.Getenv("LOCKSTEP_CAMPAIGN") != "accuracy" {
		t.Skip("takes an hour or more: LOCKSTEP_CAMPAIGN=accuracy go test ./examples -run TestAccuracy -timeout 12h -v")
	}
	for _, f := range figures {
		t.Run(f.spec, func(t *testing.T) {
			begin := time.Now()
			r := train(t, load(t, f.spec), "1")
			got, ok := r.Metrics[f.name]
			t.Logf("%s %.4g, wanted %v; %.0f records/s, %v in all", f.name, got, f.bound, r.SamplesPerSecond, time.Since(begin).Round(time.Second))
			if !ok || !f.kept(got) {
				t.Errorf("missed; all figures: %v", r.Metrics)
			}
		})
	}
}

// A few steps of every example, on a few records, make its loss fall.
func TestEveryExampleLearns(t *testing.T) {
	if testing.Short() {
		t.Skip("trains seventeen networks")
	}
	paths, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != len(figures) {
		t.Errorf("%d examples, but %d figures: add what the new one reaches", len(paths), len(figures))
	}
	for _, f := range figures {
		t.Run(f.spec, func(t *testing.T) {
			job := load(t, f.spec)
			shorten(job)
			before := initialLoss(t, &job.Spec)
			after := train(t, job, "2").Metrics["val_loss"]
			t.Logf("from %.3f to %.3f in %d steps", before, after, job.Spec.Training.MaxSteps)
			if !(after > 0 && after < 0.95*before) {
				t.Errorf("the loss went from %v to %v", before, after)
			}
		})
	}
}

// shorten makes of a job one of a few seconds: 30 steps of at most 32 records, of a small part of the data.
func shorten(job *spec.Job) {
	s := &job.Spec
	s.Training.MaxSteps, s.Training.Epochs = 30, 0
	s.Training.GlobalBatchSize, s.Training.MicroBatches = min(s.Training.GlobalBatchSize, 32), 2
	s.Training.EvalEvery = spec.Interval{}
	s.Checkpoint.Every = spec.Interval{}
	s.LRScheduler = spec.LRScheduler{Type: "constant"}
	d := &s.Dataset
	d.Test, d.Val, d.Split = nil, nil, &spec.Split{Train: 0.8, Val: 0.2}
	if d.Format == "idx" || d.Format == "text" {
		d.Split = &spec.Split{Train: 0.02, Val: 0.01}
	}
}

// initialLoss is the loss on the validation split before the first step.
func initialLoss(t *testing.T, s *spec.TrainJob) float64 {
	t.Helper()
	d, err := dataset.Open(t.Context(), s.Dataset, s.Seed)
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.Build(s, modelData(d.Info()))
	if err != nil {
		t.Fatal(err)
	}
	params := make([]float32, net.Size())
	net.Init(params, s.Seed)
	weights := net.NewWeights()
	weights.Load(params)
	pass := net.NewPass(1)
	var batch dataset.Batch
	stats, sums := make([]float64, net.NumStats()), make([]float64, net.NumStats())
	val := d.Split("val")
	for i := range val.Len() {
		if err := val.Read(&batch, []int{i}, 0); err != nil {
			t.Fatal(err)
		}
		if err := pass.Eval(weights, model.Batch(batch), stats); err != nil {
			t.Fatal(err)
		}
		for k, v := range stats {
			sums[k] += v
		}
	}
	return net.Metrics(sums)["loss"]
}
