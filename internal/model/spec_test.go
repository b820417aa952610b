package model

import (
	"testing"

	"lockstep/internal/spec"
)

// What the specification's reader gives is what Build takes: names in full, defaults filled in, nested layers frozen by
// their full names.
func TestParsedSpecificationsBuild(t *testing.T) {
	const head = `
apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: t}
spec:
  dataset: {format: npy, source: data, train: {images: x.npy, labels: y.npy}}
  training: {global_batch_size: 8}
`
	for _, c := range []struct {
		name, text string
		data       Data
		frozen     int
	}{
		{"images", `
  model:
    freeze: [conv2d, residual/dense]
    layers:
      - {type: conv2d, filters: 4, kernel_size: 3, padding: same, activation: relu}
      - {type: batch_norm}
      - {type: max_pool2d}
      - {type: average_pool2d, pool_size: [1, 2]}
      - {type: conv2d_transpose, filters: 3, kernel_size: 2, strides: 2}
      - {type: leaky_relu, negative_slope: 0.2}
      - {type: reshape, target_shape: [-1, 6]}
      - {type: time_distributed, layer: {type: dense, units: 5, activation: gelu, approximate: tanh}}
      - {type: flatten}
      - {type: dense, units: 7, activation: elu}
      - {type: residual, layers: [{type: dense, units: 7}, {type: dropout, rate: 0.1}]}
      - {type: layer_norm}
      - {type: dense, units: 3}
  loss: {type: cross_entropy}
  metrics: [accuracy, {type: top_k_accuracy, k: 2}, f1, auc, confusion_matrix, perplexity]
  optimizer: {type: adamw}
  lr_scheduler: {type: cosine, warmup_steps: 3}
`, Data{Shape: []int{8, 8, 1}, Classes: 3}, 4},
		{"sequences", `
  model:
    input: {shape: [6, 4]}
    freeze: [bidirectional]
    layers:
      - {type: positional_embedding}
      - {type: bidirectional, layer: {type: lstm, units: 3, return_sequences: true}, merge_mode: ave}
      - {type: bidirectional, layer: {type: gru, units: 3, return_sequences: true}}
      - {type: multi_head_attention, num_heads: 2}
      - {type: transformer_block, num_heads: 3, units: 8, activation: relu, rate: 0.1}
      - {type: simple_rnn, units: 2, activation: relu}
      - {type: dense, units: 1, activation: sigmoid}
  loss: {type: binary_cross_entropy, from_logits: false}
  metrics: [accuracy, auc]
  optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9}
`, Data{Shape: []int{24}, Classes: 2}, 6},
	} {
		job, err := spec.Parse("job.yaml", []byte(head+c.text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r := newTrainer(t, &job.Spec, c.data, 4)
		r.net.Init(r.params, 1)
		r.step(t, Batch{N: 4, X: floats(1, 4*volume(c.data.Shape)), Labels: labels(2, 4, c.data.Classes)}, 0.01)
		if r.params[0] != r.params[0] {
			t.Errorf("%s: NaN", c.name)
		}
		frozen := 0
		for _, p := range r.net.Params() {
			if p.Kind == Frozen {
				frozen++
			}
		}
		if frozen != c.frozen {
			t.Errorf("%s: %d parameters are frozen, want %d", c.name, frozen, c.frozen)
		}
	}
}
