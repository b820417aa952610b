package spec

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustParse(t testing.TB, text string) *Job {
	t.Helper()
	j, err := Parse("dir/Some Job_1.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// minimal is the shortest specification, with what is given appended to its spec.
func minimal(more ...string) string {
	text := "spec:\n  dataset: {format: npz, source: data.npz}\n  model: {layers: [{type: dense, units: 10}]}\n  loss: {type: cross_entropy}\n"
	for _, m := range more {
		text += "  " + m + "\n"
	}
	return text
}

func TestParseExample(t *testing.T) {
	j, err := Load("testdata/fashion.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := &j.Spec
	if s.Dataset.Source != "file:///usr/share/datasets/fashion-mnist" || s.Optimizer.WeightDecay != 1e-4 || len(s.Model.Layers) != 9 ||
		s.Model.Layers[0].KernelSize != (Pair{3, 3}) || s.Metrics[0].Type != "accuracy" || s.InitFrom.Checkpoint != "fashion-mlp@best" {
		t.Errorf("not what was written: %s", j.Canonical())
	}
	if s.Model.Layers[8].Name != "dense_1" || *s.Model.Layers[1].Momentum != 0.99 || s.Optimizer.Beta2 != 0.999 {
		t.Errorf("not the defaults: %s", j.Canonical())
	}
}

// TestDefaults pins every default of the shortest specification: changing one changes every such job's result.
func TestDefaults(t *testing.T) {
	want := `{"apiVersion":"lockstep/v1","kind":"TrainJob","metadata":{"name":"some-job-1"},"spec":{` +
		`"checkpoint":{"every":{"epochs":1},"keep_last":3,"resume":"auto"},` +
		`"dataset":{"format":"npz","shard_records":256,"shuffle":true,"source":"data.npz","train":{}},` +
		`"export":{"which":"last"},"loss":{"from_logits":true,"label_smoothing":0,"type":"cross_entropy"},` +
		`"lr_scheduler":{"type":"constant","warmup_steps":0},` +
		`"model":{"input":{},"layers":[{"activation":"linear","bias_initializer":"zeros","kernel_initializer":"glorot_uniform","name":"dense","type":"dense","units":10,"use_bias":true}]},` +
		`"optimizer":{"beta_1":0.9,"beta_2":0.999,"clip_global_norm":0,"epsilon":1e-8,"learning_rate":0.001,"type":"adam","weight_decay":0},` +
		`"parallelism":{"bucket_mb":4,"reduction":"exact","wire":"float32","workers":{"max":8,"min":1}},"scheduling":{"priority":0},"seed":42,` +
		`"training":{"epochs":10,"eval_every":{"epochs":1},"global_batch_size":64,"log_every":{"steps":20},"micro_batches":8}}}`
	if diff := cmp.Diff(want, string(mustParse(t, minimal()).Canonical())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDerivedDefaults(t *testing.T) {
	const val = "dataset: {format: csv, source: x, target: {column: y, type: category}, split: {val: 0.2, test: 0.1}}"
	text := func(lines ...string) string {
		return "spec:\n  " + strings.Join(append([]string{val, "model: {layers: [{type: dense, units: 10}]}", "loss: {type: binary_cross_entropy}"}, lines...), "\n  ")
	}
	for _, c := range []struct {
		name, text string
		got        func(s *TrainJob) any
		want       any
	}{
		{"train is what is left", text(), func(s *TrainJob) any { return s.Dataset.Split.Train }, 0.7},
		{"csv has a header", text(), func(s *TrainJob) any { return *s.Dataset.Header }, true},
		{"others have none", minimal(), func(s *TrainJob) any { return s.Dataset.Header }, (*bool)(nil)},
		{"max_steps instead of epochs", minimal("training: {max_steps: 5}"), func(s *TrainJob) any { return s.Training.Epochs }, 0},
		{"never", minimal("training: {eval_every: never}"), func(s *TrainJob) any { return s.Training.EvalEvery }, Interval{}},
		{"many workers", minimal("training: {micro_batches: 12}", "parallelism: {workers: {min: 12}}"), func(s *TrainJob) any { return s.Parallelism.Workers }, Workers{12, 12}},
		{"early stopping by val_loss", text("early_stopping: {}"), func(s *TrainJob) any { return *s.EarlyStopping }, EarlyStopping{Monitor: "val_loss", Mode: "min", Patience: 3}},
		{"by train_loss", minimal("early_stopping: {}"), func(s *TrainJob) any { return s.EarlyStopping.Monitor }, "train_loss"},
		{"by train_loss if never evaluated", text("early_stopping: {}", "training: {eval_every: never}"), func(s *TrainJob) any { return s.EarlyStopping.Monitor }, "train_loss"},
		{"mode of accuracy", text("early_stopping: {monitor: val_accuracy}", "metrics: [accuracy]"), func(s *TrainJob) any { return s.EarlyStopping.Mode }, "max"},
		{"mode of rmse", text("early_stopping: {monitor: val_rmse}", "metrics: [rmse]"), func(s *TrainJob) any { return s.EarlyStopping.Mode }, "min"},
		{"best is kept to restore it", text("metrics: [f1]", "early_stopping: {monitor: val_f1, restore_best_weights: true}"), func(s *TrainJob) any { return s.Checkpoint }, Checkpoint{Every: Interval{Epochs: 1}, KeepLast: 3, KeepBest: 1, Monitor: "val_f1", Resume: "auto"}},
		{"best is kept to export it", text("export: {which: best}"), func(s *TrainJob) any { return s.Checkpoint.KeepBest }, 1},
		{"best is kept if monitored", text("checkpoint: {monitor: val_loss}"), func(s *TrainJob) any { return s.Checkpoint.KeepBest }, 1},
		{"best is kept by val_loss", text("checkpoint: {keep_best: 2}"), func(s *TrainJob) any { return s.Checkpoint.Monitor }, "val_loss"},
		{"plateau", text("lr_scheduler: {type: reduce_on_plateau, threshold: 0, patience: 0}"), func(s *TrainJob) any { return s.LRScheduler }, LRScheduler{Type: "reduce_on_plateau", Monitor: "val_loss", Mode: "min", Factor: 0.1, ThresholdMode: "rel"}},
		{"one cycle", text("lr_scheduler: {type: one_cycle}"), func(s *TrainJob) any { return s.LRScheduler }, LRScheduler{Type: "one_cycle", MaxLR: 1e-3, PctStart: 0.3, DivFactor: 25, FinalDivFactor: 1e4, Anneal: "cos"}},
		{"threshold", text("metrics: [precision, auc]"), func(s *TrainJob) any { return s.Metrics }, []Metric{{Type: "precision", Threshold: 0.5}, {Type: "auc"}}},
		{"no threshold", minimal("metrics: [precision, top_k_accuracy]"), func(s *TrainJob) any { return s.Metrics }, []Metric{{Type: "precision"}, {Type: "top_k_accuracy", K: 5}}},
		{"sgd", minimal("optimizer: {type: sgd}"), func(s *TrainJob) any { return s.Optimizer }, Optimizer{Type: "sgd", LearningRate: 0.01}},
		{"adamw", minimal("optimizer: {type: adamw}"), func(s *TrainJob) any { return s.Optimizer }, Optimizer{Type: "adamw", LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01}},
		{"amsgrad", minimal("optimizer: {type: amsgrad}"), func(s *TrainJob) any { return s.Optimizer }, Optimizer{Type: "amsgrad", LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}},
		{"rmsprop", minimal("optimizer: {type: rmsprop}"), func(s *TrainJob) any { return s.Optimizer }, Optimizer{Type: "rmsprop", LearningRate: 0.01, Rho: 0.99, Epsilon: 1e-8}},
		{"adagrad", minimal("optimizer: {type: adagrad}"), func(s *TrainJob) any { return s.Optimizer }, Optimizer{Type: "adagrad", LearningRate: 0.01, Epsilon: 1e-10}},
		{"zero is not a default", minimal("optimizer: {type: adamw, beta_1: 0, weight_decay: 0}", "seed: 0"), func(s *TrainJob) any { return []float64{s.Optimizer.Beta1, s.Optimizer.WeightDecay, float64(s.Seed)} }, []float64{0, 0, 0}},
		{"largest seed", minimal("seed: 18446744073709551615"), func(s *TrainJob) any { return s.Seed }, uint64(1<<64 - 1)},
		{"whole float", minimal("training: {epochs: 1e1}"), func(s *TrainJob) any { return s.Training.Epochs }, 10},
		{"exponent without a point", minimal("optimizer: {type: sgd, lr: 1e-3}"), func(s *TrainJob) any { return s.Optimizer.LearningRate }, 1e-3},
		{"freeze is gathered", minimal("init_from: {file: a, freeze: [dense]}"), func(s *TrainJob) any { return s.Model.Freeze }, []string{"dense"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.got(&mustParse(t, c.text).Spec)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLayerDefaults(t *testing.T) {
	j := mustParse(t, `
spec:
  dataset: {format: npz, source: x}
  loss: {type: mse}
  model:
    layers:
      - {type: max_pool2d, pool_size: [2, 3]}
      - {type: average_pool2d, strides: 1}
      - {type: conv2d_transpose, filters: 3, kernel_size: [3, 5], activation: leaky_relu}
      - {type: dense, units: 3, activation: elu}
      - {type: lstm, units: 3}
      - {type: transformer_block, num_heads: 2, units: 4}
      - {type: embedding, input_dim: 5, output_dim: 2}
      - {type: layer_norm}
`)
	yes := true
	want := []Layer{
		{Type: "max_pool2d", Name: "max_pool2d", PoolSize: Pair{2, 3}, Strides: Pair{2, 3}, Padding: "valid"},
		{Type: "average_pool2d", Name: "average_pool2d", PoolSize: Pair{2, 2}, Strides: Pair{1, 1}, Padding: "valid"},
		{Type: "conv2d_transpose", Name: "conv2d_transpose", Filters: 3, KernelSize: Pair{3, 5}, Strides: Pair{1, 1}, Padding: "valid", UseBias: &yes, Activation: "leaky_relu", NegativeSlope: 0.01, KernelInitializer: "glorot_uniform", BiasInitializer: "zeros"},
		{Type: "dense", Name: "dense", Units: 3, UseBias: &yes, Activation: "elu", Alpha: 1, KernelInitializer: "glorot_uniform", BiasInitializer: "zeros"},
		{Type: "lstm", Name: "lstm", Units: 3, UseBias: &yes, Activation: "tanh", RecurrentActivation: "sigmoid", KernelInitializer: "glorot_uniform", RecurrentInit: "orthogonal", BiasInitializer: "zeros"},
		{Type: "transformer_block", Name: "transformer_block", NumHeads: 2, Units: 4, Activation: "gelu", Approximate: "none", Epsilon: 1e-5, KernelInitializer: "glorot_uniform", BiasInitializer: "zeros"},
		{Type: "embedding", Name: "embedding", InputDim: 5, OutputDim: 2, KernelInitializer: "uniform"},
		{Type: "layer_norm", Name: "layer_norm", Epsilon: 1e-3},
	}
	if diff := cmp.Diff(want, j.Spec.Model.Layers); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLayerNames(t *testing.T) {
	j := mustParse(t, `
spec:
  dataset: {format: npz, source: x}
  loss: {type: mse}
  model:
    layers:
      - {type: dense, units: 1}
      - {type: dense, units: 1, name: dense_1}
      - {type: dense, units: 1}
      - {type: residual, layers: [{type: dense, units: 1}, {type: dense, units: 1, name: head}, {type: dense, units: 1}]}
      - {type: residual, name: body, layers: [{type: time_distributed, layer: {type: dense, units: 1}}]}
      - {type: bidirectional, layer: {type: lstm, units: 1}}
      - {type: dense, units: 1}
`)
	var names []string
	everyLayer(j.Spec.Model.Layers, "", func(l *Layer, _ string) { names = append(names, l.Name) })
	want := []string{"dense", "dense_1", "dense_2", "residual", "residual/dense", "residual/head", "residual/dense_1",
		"body", "body/time_distributed", "body/time_distributed/dense", "bidirectional", "bidirectional/lstm", "dense_3"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestDefaultMicroBatches checks the rule's promises for every batch size up to a large one.
func TestDefaultMicroBatches(t *testing.T) {
	for batch := 1; batch <= 4096; batch++ {
		m := DefaultMicroBatches(batch)
		switch {
		case m > batch || m > 32:
			t.Fatalf("batch %d: %d is too many", batch, m)
		case m < min(batch, 8):
			t.Fatalf("batch %d: %d is too few for 8 workers", batch, m)
		case m > 8 && m < 32 && (batch/m < 15 || batch/m > 17):
			t.Fatalf("batch %d: %d records in each", batch, batch/m)
		}
	}
	for batch, want := range map[int]int{1: 1, 5: 5, 8: 8, 64: 8, 128: 8, 256: 16, 1000: 32} {
		if got := DefaultMicroBatches(batch); got != want {
			t.Errorf("batch %d: got %d, want %d", batch, got, want)
		}
	}
}

// TestSpellings parses the same job in PyTorch's words, Keras' and ours.
func TestSpellings(t *testing.T) {
	const head = "spec:\n  dataset: {format: csv, source: x, header: false, features: [{column: 0, type: number}], target: {column: 4, type: category, classes: [0, 1]}}\n"
	ours := mustParse(t, head+`
  loss: {type: cross_entropy}
  metrics: [{type: accuracy}]
  optimizer: {type: adam, learning_rate: 0.01, beta_1: 0.8, beta_2: 0.9, epsilon: 1.0e-6}
  lr_scheduler: {type: cosine, total_steps: 50, min_lr: 0.001}
  model:
    layers:
      - {type: conv2d, filters: 4, kernel_size: [3, 5], strides: [1, 2], dilation_rate: 2, use_bias: false, kernel_initializer: glorot_normal}
      - {type: activation, activation: relu}
      - {type: max_pool2d, pool_size: 2, strides: 1}
      - {type: batch_norm, epsilon: 1.0e-5}
      - {type: embedding, input_dim: 10, output_dim: 4}
      - {type: lstm, units: 8}
      - {type: dropout, rate: 0.3}
      - {type: transformer_block, num_heads: 2, units: 9, rate: 0.1}
      - {type: dense, units: 10, activation: silu}
`)
	theirs := mustParse(t, head+`
  loss: {type: cross_entropy_loss}
  metrics: [accuracy]
  optimizer: {type: adam, lr: 0.01, betas: [0.8, 0.9], eps: 1.0e-6}
  lr_scheduler: {type: cosine_annealing, T_max: 50, eta_min: 0.001}
  model:
    layers:
      - {type: conv_2d, out_channels: 4, kernel_size: [3, 5], stride: [1, 2], dilation: 2, bias: false, kernel_initializer: xavier_normal}
      - {type: relu}
      - {type: max_pooling2d, kernel_size: 2, stride: 1}
      - {type: batch_norm2d, eps: 1.0e-5}
      - {type: embedding, num_embeddings: 10, embedding_dim: 4}
      - {type: lstm, hidden_size: 8}
      - {type: dropout, p: 0.3}
      - {type: transformer_encoder_layer, nhead: 2, dim_feedforward: 9, dropout: 0.1}
      - {type: linear, out_features: 10, activation: swish}
`)
	if diff := cmp.Diff(ours, theirs); diff != "" {
		t.Errorf("-ours +theirs:\n%s", diff)
	}
	if got := ours.Spec.Dataset.Target; got.Column != "4" || !slices.Equal(got.Classes, []string{"0", "1"}) {
		t.Errorf("target is %+v", got)
	}
}

func TestMergeKeys(t *testing.T) {
	j := mustParse(t, `
spec:
  dataset: {format: npz, source: x}
  loss: {type: mse}
  model:
    layers:
      - &wide {type: dense, units: 64, activation: relu}
      - <<: *wide
        units: 32
      - {<<: [{activation: tanh}, *wide], name: last}
      - *wide
`)
	var got []string
	for _, l := range j.Spec.Model.Layers {
		got = append(got, l.Name+" "+l.Activation+" "+string(rune('0'+l.Units/16)))
	}
	if diff := cmp.Diff([]string{"dense relu 4", "dense_1 relu 2", "last tanh 4", "dense_2 relu 4"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTemplates(t *testing.T) {
	if len(Templates()) < 5 {
		t.Fatal("too few:", Templates())
	}
	for _, name := range Templates() {
		text, err := Template(name)
		if err != nil {
			t.Fatal(err)
		}
		j, err := Parse(name+".yaml", text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if j.Metadata.Name != name || !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s: called %q, or without a comment", name, j.Metadata.Name)
		}
	}
	if _, err := Template("ccn"); err == nil || !strings.Contains(err.Error(), `did you mean "cnn"?`) {
		t.Error("unknown template:", err)
	}
}

func TestTooLarge(t *testing.T) {
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"bytes":  {make([]byte, maxText+1), "the specification is larger than 1048576 bytes"},
		"values": {[]byte("spec: [" + strings.Repeat("1,", maxValues) + "1]"), "the specification has more than 50000 values"},
	} {
		_, err := Parse("big.yaml", c.text)
		var e *Error
		if !errors.As(err, &e) || e.Msg != c.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLoadMissing(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Error("got", err)
	}
}

// TestParseIsConcurrent is for the race detector: jobs share the schema, and nothing else.
func TestParseIsConcurrent(t *testing.T) {
	text := minimal("training: {}")
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			j, err := Parse("a.yaml", []byte(text))
			if err != nil {
				t.Error(err)
			} else if FromCanonical(j.Canonical()); j.Spec.Training.Epochs != 10 {
				t.Error(i, "got", j.Spec.Training)
			}
		})
	}
	group.Wait()
}
