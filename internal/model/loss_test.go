package model

import (
	"math"
	"slices"
	"testing"

	"lockstep/internal/spec"
)

// runLoss runs a loss on one batch.
func runLoss(t *testing.T, l spec.Loss, data Data, out []int, y []float32, b Batch) (dy []float32, stats []float64) {
	t.Helper()
	d, err := buildLoss(l, data, shape{dims: out})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.check(b); err != nil {
		t.Fatal(err)
	}
	dy, stats = make([]float32, len(y)), make([]float64, 2)
	d.newUnit(&plan{rows: b.N}).run(&call{n: b.N}, dy, y, b, stats)
	return dy, stats
}

func TestLossesStayFinite(t *testing.T) {
	wild := []float32{0, 1, -1, 1e4, -1e4, 1e38, -1e38, 88, -88, 1e-40, 104, -104}
	sure := []float32{0, 1, 0, 1, 1e-45, 1, 0.5, 0, 1, 0, 1, 1}
	no := false
	for _, c := range []struct {
		name string
		loss spec.Loss
		data Data
		out  []int
		y    []float32
		b    Batch
	}{
		{"labels", spec.Loss{Type: "cross_entropy"}, Data{Classes: 4}, []int{4}, wild, Batch{N: 3, Labels: []int32{2, 2, 3}}},
		{"smoothed", spec.Loss{Type: "cross_entropy", LabelSmoothing: 0.1}, Data{Classes: 4}, []int{4}, wild[:4], Batch{N: 1, Labels: []int32{2}}},
		{"probabilities", spec.Loss{Type: "cross_entropy", FromLogits: &no}, Data{Classes: 2}, []int{2}, sure, Batch{N: 6, Labels: []int32{0, 1, 0, 1, 0, 1}}},
		{"binary", spec.Loss{Type: "binary_cross_entropy"}, Data{TargetShape: []int{12}}, []int{12}, wild, Batch{N: 1, Y: sure}},
		{"binary probabilities", spec.Loss{Type: "binary_cross_entropy", FromLogits: &no}, Data{TargetShape: []int{12}}, []int{12}, sure, Batch{N: 1, Y: sure[:12]}},
		{"binary, all wrong", spec.Loss{Type: "binary_cross_entropy", FromLogits: &no}, Data{TargetShape: []int{2}}, []int{2}, []float32{0, 1}, Batch{N: 1, Y: []float32{1, 0}}},
		{"divergence", spec.Loss{Type: "kl_divergence"}, Data{TargetShape: []int{2}}, []int{2}, sure, Batch{N: 6, Y: []float32{1, 0, 0, 1, 1, 0, 0, 1, .5, .5, 0, 1}}},
	} {
		dy, stats := runLoss(t, c.loss, c.data, c.out, c.y, c.b)
		if math.IsNaN(stats[0]) || math.IsInf(stats[0], 0) || stats[0] < -1e-6 {
			t.Errorf("%s: the loss is %v", c.name, stats[0])
		}
		for i, v := range dy {
			if v != v || math.IsInf(float64(v), 0) {
				t.Errorf("%s: the gradient of output %v is %v", c.name, c.y[i], v)
			}
		}
	}
}

// Labels for element-wise losses are turned into the numbers that one would write by hand.
func TestLabelsAsNumbers(t *testing.T) {
	y := floats(3, 6)
	for _, c := range []struct {
		loss    string
		classes int
		out     []int
		labels  []int32
		targets []float32
	}{
		{"mse", 5, []int{1}, []int32{4, 0, 1, 2, 3, 4}, []float32{4, 0, 1, 2, 3, 4}},
		{"binary_cross_entropy", 2, []int{1}, []int32{1, 0, 1, 1, 0, 0}, []float32{1, 0, 1, 1, 0, 0}},
		{"hinge", 2, []int{1}, []int32{1, 0, 1, 1, 0, 0}, []float32{1, -1, 1, 1, -1, -1}},
		{"hinge", 3, []int{3}, []int32{2, 0}, []float32{-1, -1, 1, 1, -1, -1}},
		{"mse", 3, []int{3}, []int32{2, 0}, []float32{0, 0, 1, 1, 0, 0}},
	} {
		target := []int(nil)
		if c.out[0] > 1 {
			target = c.out
		}
		n := len(c.labels)
		a, sa := runLoss(t, spec.Loss{Type: c.loss}, Data{Classes: c.classes}, c.out, y, Batch{N: n, Labels: c.labels})
		b, sb := runLoss(t, spec.Loss{Type: c.loss}, Data{TargetShape: target}, c.out, y, Batch{N: n, Y: c.targets})
		if !sameBits(a, b) || sa[0] != sb[0] || sa[1] != sb[1] {
			t.Errorf("%s of %v: labels give %v, numbers %v", c.loss, c.out, sa, sb)
		}
	}
}

// The loss of a mixed label is the mix of two losses, and so is its gradient, which differences confirm.
func TestMixedLabels(t *testing.T) {
	no := false
	first, second, shares := []int32{2, 0, 1}, []int32{0, 0, 2}, []float32{0.75, 0.9, 0.5}
	for _, c := range []struct {
		loss spec.Loss
		data Data
		out  []int
	}{
		{spec.Loss{Type: "cross_entropy"}, Data{Classes: 3}, []int{3}},
		{spec.Loss{Type: "cross_entropy", LabelSmoothing: 0.1}, Data{Classes: 3}, []int{3}},
		{spec.Loss{Type: "cross_entropy", FromLogits: &no}, Data{Classes: 3}, []int{3}},
		{spec.Loss{Type: "binary_cross_entropy"}, Data{Classes: 3}, []int{3}},
	} {
		y := floats(3, 9)
		for i := range y {
			y[i] = 0.2 + 0.6*max(y[i], -y[i])/(1+max(y[i], -y[i]))
		}
		n := len(first)
		got, stats := runLoss(t, c.loss, c.data, c.out, y, Batch{N: n, Labels: first, Others: second, Shares: shares})
		want := 0.0
		for i := range n {
			row := y[3*i : 3*i+3]
			a, sa := runLoss(t, c.loss, c.data, c.out, row, Batch{N: 1, Labels: first[i : i+1]})
			b, sb := runLoss(t, c.loss, c.data, c.out, row, Batch{N: 1, Labels: second[i : i+1]})
			w := float64(shares[i])
			want += w*sa[0] + (1-w)*sb[0]
			for j := range row {
				if g := w*float64(a[j]) + (1-w)*float64(b[j]); math.Abs(float64(got[3*i+j])-g) > 1e-6*(1+math.Abs(g)) {
					t.Errorf("%s: gradient %v, want %v", c.loss.Type, got[3*i+j], g)
				}
			}
		}
		if math.Abs(stats[0]-want) > 1e-5*want || stats[1] != 3 {
			t.Errorf("%s: loss %v over %v, want %v over 3", c.loss.Type, stats[0], stats[1], want)
		}
		for i := range y {
			at := func(h float32) float64 {
				moved := slices.Clone(y)
				moved[i] += h
				_, s := runLoss(t, c.loss, c.data, c.out, moved, Batch{N: n, Labels: first, Others: second, Shares: shares})
				return s[0]
			}
			const h = 1.0 / 256 // losses are sums of float32: a smaller step would drown in them
			if d := (at(h) - at(-h)) / (2 * h); math.Abs(d-float64(got[i])) > 2e-3*(1+math.Abs(d)) {
				t.Errorf("%s: the gradient of output %d is %v, differences give %v", c.loss.Type, i, got[i], d)
			}
		}
	}
}

// Mixed labels come with as many others and shares, and hinge has no place between its signs.
func TestMixedLabelsAreChecked(t *testing.T) {
	for kind, b := range map[string]Batch{
		"cross_entropy": {N: 1, Labels: []int32{1}, Others: []int32{2}, Shares: []float32{0.5}},
		"mse":           {N: 1, Labels: []int32{1}, Shares: []float32{0.5}},
		"hinge":         {N: 1, Labels: []int32{1}, Others: []int32{0}, Shares: []float32{0.5}},
	} {
		out := []int{1}
		if kind == "cross_entropy" {
			out = []int{2}
		}
		d, err := buildLoss(spec.Loss{Type: kind}, Data{Classes: 2}, shape{dims: out})
		if err != nil {
			t.Fatal(err)
		}
		if d.check(b) == nil {
			t.Errorf("%s: no error", kind)
		}
	}
}

// A network that ends in softmax and a loss that takes probabilities are computed as logits; predictions are
// probabilities all the same.
func TestLastActivationAndLossAreOne(t *testing.T) {
	no := false
	for _, c := range []struct {
		loss, act string
		layers    []spec.Layer
		data      Data
		b         Batch
	}{
		{"cross_entropy", "softmax", []spec.Layer{{Type: "dense", Units: 5}}, Data{Shape: []int{3}, Classes: 5},
			Batch{N: 4, X: floats(1, 12), Labels: labels(2, 4, 5)}},
		{"binary_cross_entropy", "sigmoid", []spec.Layer{{Type: "dense", Units: 1}}, Data{Shape: []int{3}, Classes: 2},
			Batch{N: 4, X: floats(1, 12), Labels: labels(2, 4, 2)}},
	} {
		job := &spec.TrainJob{Model: spec.Model{Layers: c.layers}, Loss: spec.Loss{Type: c.loss},
			Metrics: []spec.Metric{{Type: "accuracy"}, {Type: "auc"}}}
		logits, wl := loaded(t, job, c.data)
		job.Loss.FromLogits = &no
		job.Model.Layers = append(c.layers, spec.Layer{Type: "activation", Activation: c.act})
		probs, wp := loaded(t, job, c.data)
		a, b := train(t, logits.NewPass(4), wl, c.b, Key{}), train(t, probs.NewPass(4), wp, c.b, Key{})
		if !sameBits(a.grad, b.grad) {
			t.Errorf("%s: the gradient is not that from logits", c.loss)
		}
		if ma, mb := logits.Metrics(a.stats), probs.Metrics(b.stats); ma["loss"] != mb["loss"] || ma["accuracy"] != mb["accuracy"] || ma["auc"] != mb["auc"] {
			t.Errorf("%s: metrics are %v, from logits %v", c.loss, mb, ma)
		}
		y := make([]float32, 4*volume(probs.OutputShape()))
		if err := probs.NewPass(4).Predict(wp, c.b, y); err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for _, v := range y {
			if v <= 0 || v >= 1 {
				t.Errorf("%s: predicts %v", c.loss, y)
			}
			total += float64(v)
		}
		if c.act == "softmax" && math.Abs(total-4) > 1e-6 {
			t.Errorf("probabilities add up to %v", total/4)
		}
	}
}
