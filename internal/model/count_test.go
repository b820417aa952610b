package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lockstep/internal/spec"
)

// TestLayers: shapes, parameters and products of a network, counted by hand.
func TestLayers(t *testing.T) {
	j, err := spec.Parse("t.yaml", []byte(`
apiVersion: lockstep/v1
kind: TrainJob
spec:
  dataset: {format: idx, source: /d, train: {images: i, labels: l}}
  model:
    input: {shape: [4, 4, 1]}
    freeze: [conv2d]
    layers:
      - {type: conv2d, filters: 2, kernel_size: 3, padding: same}
      - {type: residual, layers: [{type: conv2d, filters: 2, kernel_size: 1}, {type: batch_norm}]}
      - {type: reshape, target_shape: [4, 8]}
      - {type: transformer_block, num_heads: 2, units: 3}
      - {type: bidirectional, layer: {type: gru, units: 5}}
      - {type: dense, units: 3}
  loss: {type: cross_entropy}
`))
	if err != nil {
		t.Fatal(err)
	}
	n, err := Build(&j.Spec, Data{Shape: []int{4, 4, 1}, Classes: 3})
	if err != nil {
		t.Fatal(err)
	}
	const (
		attention = 4*4*8*8 + 2*4*4*8 // four projections; scores and their use
		mlp       = 4 * 2 * 8 * 3
		gru       = 2 * (4*8*15 + 3*5*15)
	)
	want := []LayerInfo{
		{"conv2d", "conv2d", []int{4, 4, 2}, 20, 0, 2 * 16 * 18, 0},
		{"residual/conv2d", "conv2d", []int{4, 4, 2}, 6, 6, 2 * 16 * 4, 2 * 16 * 4},
		{"residual/batch_norm", "batch_norm", []int{4, 4, 2}, 8, 4, 0, 0},
		{"reshape", "reshape", []int{4, 8}, 0, 0, 0, 0},
		{"transformer_block", "transformer_block", []int{4, 8}, 2*16 + 4*72 + 27 + 32, 2*16 + 4*72 + 27 + 32, 2 * (attention + mlp), 4 * (attention + mlp)},
		{"bidirectional", "bidirectional", []int{10}, 2 * (8*15 + 5*15 + 30), 2 * (8*15 + 5*15 + 30), 2 * gru, 4 * gru},
		{"dense", "dense", []int{3}, 33, 33, 2 * 30, 4 * 30},
	}
	if diff := cmp.Diff(want, n.Layers()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := n.NewPass(7); p.Bytes() < 7*4*(32*3+32) || p.Bytes() > 1<<20 {
		t.Errorf("a pass holds %d bytes", p.Bytes())
	}
}
