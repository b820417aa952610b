package model

import (
	"fmt"
	"math"
	"testing"

	"lockstep/internal/spec"
)

// measure runs a loss and one metric over a batch, in two halves whose sums are added.
func measure(t *testing.T, l spec.Loss, m spec.Metric, data Data, out []int, y []float32, b Batch) map[string]float64 {
	t.Helper()
	d, err := buildLoss(l, data, shape{dims: out})
	if err != nil {
		t.Fatal(err)
	}
	n := &Network{loss: d, stats: 2, output: shape{dims: out}}
	if err := n.addMeter(m); err != nil {
		t.Fatal(err)
	}
	total := make([]float64, n.stats)
	half := b.N / 2
	for _, r := range [][2]int{{0, half}, {half, b.N}} {
		part := Batch{N: r[1] - r[0]}
		ys := y[r[0]*volume(out) : r[1]*volume(out)]
		if d.labels {
			part.Labels = b.Labels[r[0]*d.numLabels() : r[1]*d.numLabels()]
		} else {
			part.Y = b.Y[r[0]*volume(out) : r[1]*volume(out)]
		}
		stats := make([]float64, n.stats)
		u := d.newUnit(&plan{rows: part.N})
		u.run(&call{n: part.N}, nil, ys, part, stats)
		n.meters[0].add(ys, u, part, stats)
		for i, v := range stats {
			total[i] += v
		}
	}
	return n.Metrics(total)
}

// The figures of a classifier of 3 classes against those counted by hand; label -1 is ignored.
func TestClassMetrics(t *testing.T) {
	ignore := -1
	y := []float32{ // predicted: 0 1 2 1 0 2 1 0
		5, 1, 0, 0, 2, 1, -1, 0, 1, 0, 9, 8, 3, 2, 1, 0, 1, 2, 0, 4, 3, 7, 0, 0}
	b := Batch{N: 8, Labels: []int32{0, 1, 1, 1, 2, 2, 0, -1}}
	loss := spec.Loss{Type: "cross_entropy", IgnoreIndex: &ignore}
	for _, c := range []struct {
		m    spec.Metric
		want float64
	}{
		{spec.Metric{Type: "accuracy"}, 4.0 / 7},
		{spec.Metric{Type: "top_k_accuracy", K: 2}, 5.0 / 7},
		{spec.Metric{Type: "precision"}, (1.0/2 + 2.0/3 + 1.0/2) / 3},
		{spec.Metric{Type: "recall"}, (1.0/2 + 2.0/3 + 1.0/2) / 3},
		{spec.Metric{Type: "f1"}, (1.0/2 + 2.0/3 + 1.0/2) / 3},
	} {
		got := measure(t, loss, c.m, Data{Classes: 3}, []int{3}, y, b)
		if math.Abs(got[c.m.Type]-c.want) > 1e-12 {
			t.Errorf("%s = %v, want %v", c.m.Type, got[c.m.Type], c.want)
		}
	}
	got := measure(t, loss, spec.Metric{Type: "confusion_matrix"}, Data{Classes: 3}, []int{3}, y, b)
	want := [][]float64{{1, 1, 0}, {0, 2, 1}, {1, 0, 1}}
	for i, row := range want {
		for j, v := range row {
			if g := got[fmt.Sprintf("confusion_matrix/%d/%d", i, j)]; g != v {
				t.Errorf("%d of class %d predicted as %d, want %v", int(g), i, j, v)
			}
		}
	}
}

func TestBinaryMetrics(t *testing.T) {
	no := false
	p := []float32{0.9, 0.8, 0.6, 0.4, 0.3, 0.1}
	logit := make([]float32, len(p))
	for i, v := range p {
		logit[i] = float32(math.Log(float64(v) / (1 - float64(v))))
	}
	b := Batch{N: 6, Labels: []int32{1, 0, 1, 1, 0, 0}}
	for _, c := range []struct {
		m    spec.Metric
		want float64
	}{
		{spec.Metric{Type: "accuracy"}, 4.0 / 6},
		{spec.Metric{Type: "accuracy", Threshold: 0.7}, 3.0 / 6},
		{spec.Metric{Type: "precision"}, 2.0 / 3},
		{spec.Metric{Type: "precision", Threshold: 0.85}, 1},
		{spec.Metric{Type: "recall"}, 2.0 / 3},
		{spec.Metric{Type: "recall", Threshold: 0.35}, 1},
		{spec.Metric{Type: "f1"}, 2.0 / 3},
		{spec.Metric{Type: "auc"}, 7.0 / 9},
	} {
		fromLogits := measure(t, spec.Loss{Type: "binary_cross_entropy"}, c.m, Data{Classes: 2}, []int{1}, logit, b)
		fromProbs := measure(t, spec.Loss{Type: "binary_cross_entropy", FromLogits: &no}, c.m, Data{Classes: 2}, []int{1}, p, b)
		for _, got := range []float64{fromLogits[c.m.Type], fromProbs[c.m.Type]} {
			if math.Abs(got-c.want) > 1e-12 {
				t.Errorf("%s at %v = %v, want %v", c.m.Type, c.m.Threshold, got, c.want)
			}
		}
	}
	two := make([]float32, 2*len(logit)) // the same decisions as two classes
	for i, v := range logit {
		two[2*i+1] = v
	}
	for m, want := range map[string]float64{"precision": 2.0 / 3, "auc": 7.0 / 9, "accuracy": 4.0 / 6} {
		if got := measure(t, spec.Loss{Type: "cross_entropy"}, spec.Metric{Type: m}, Data{Classes: 2}, []int{2}, two, b)[m]; math.Abs(got-want) > 1e-12 {
			t.Errorf("%s of two classes = %v, want %v", m, got, want)
		}
	}
}

// The area under the curve against all pairs of a yes and a no.
func TestAUCAgainstPairs(t *testing.T) {
	const n, classes = 300, 4
	y, l := floats(1, n*classes), labels(2, n, classes)
	for i := range y { // scores on the grid of bins: only equal ones share a bin
		y[i] = float32(math.Round(float64(y[i])*40)) / 16
	}
	bin := make([]float32, n)
	yes := make([]int32, n)
	for i := range n {
		bin[i] = y[i*classes]
		yes[i] = l[i] % 2
	}
	got := measure(t, spec.Loss{Type: "binary_cross_entropy"}, spec.Metric{Type: "auc"}, Data{Classes: 2}, []int{1}, bin, Batch{N: n, Labels: yes})
	wins, pairs := 0.0, 0.0
	for i := range n {
		for j := range n {
			if yes[i] == 1 && yes[j] == 0 {
				pairs++
				switch {
				case bin[i] > bin[j]:
					wins++
				case bin[i] == bin[j]:
					wins += 0.5
				}
			}
		}
	}
	if math.Abs(got["auc"]-wins/pairs) > 1e-12 {
		t.Errorf("auc = %v, of pairs %v", got["auc"], wins/pairs)
	}
	for i := range n { // four classes that are told apart perfectly
		for c := range classes {
			y[i*classes+c] = 0
		}
		y[i*classes+int(l[i])] = 3
	}
	if got := measure(t, spec.Loss{Type: "cross_entropy"}, spec.Metric{Type: "auc"}, Data{Classes: classes}, []int{classes}, y, Batch{N: n, Labels: l}); got["auc"] != 1 {
		t.Errorf("auc of a perfect classifier is %v", got["auc"])
	}
	nan := float32(math.NaN())
	measure(t, spec.Loss{Type: "binary_cross_entropy"}, spec.Metric{Type: "auc"}, Data{Classes: 2}, []int{1}, []float32{nan, nan}, Batch{N: 2, Labels: []int32{0, 1}})
}

func TestNumberMetrics(t *testing.T) {
	y, target := []float32{1, 2, 4, -1, 0, 3}, []float32{1.5, 2, 2, -2, 0, 1}
	b := Batch{N: 3, Y: target}
	for m, want := range map[string]float64{
		"mae":  (0.5 + 0 + 2 + 1 + 0 + 2) / 6,
		"rmse": math.Sqrt((0.25 + 4 + 1 + 4) / 6),
		"r2":   1 - 9.25/(2.25+4+4+4+0+1-4.5*4.5/6),
	} {
		if got := measure(t, spec.Loss{Type: "mse"}, spec.Metric{Type: m}, Data{TargetShape: []int{2}}, []int{2}, y, b)[m]; math.Abs(got-want) > 1e-12 {
			t.Errorf("%s = %v, want %v", m, got, want)
		}
	}
}

// Perplexity is of the labels as they are, smoothed or not.
func TestPerplexity(t *testing.T) {
	y := floats(4, 6*5)
	b := Batch{N: 3, Labels: []int32{0, 1, 2, 3, 4, -7}}
	ignore, nll := -7, 0.0
	for p := range 5 {
		z := 0.0
		for _, v := range y[p*5 : p*5+5] {
			z += math.Exp(float64(v))
		}
		nll += math.Log(z) - float64(y[p*5+int(b.Labels[p])])
	}
	for _, smooth := range []float64{0, 0.2} {
		loss := spec.Loss{Type: "cross_entropy", LabelSmoothing: smooth, IgnoreIndex: &ignore}
		got := measure(t, loss, spec.Metric{Type: "perplexity"}, Data{Classes: 5, TargetShape: []int{2}}, []int{2, 5}, y, b)
		if want := math.Exp(nll / 5); math.Abs(got["perplexity"]-want) > 1e-5 {
			t.Errorf("perplexity = %v, want %v (smoothing %v)", got["perplexity"], want, smooth)
		}
	}
}

func TestMetricsThatDoNotFit(t *testing.T) {
	labels, numbers := Data{Classes: 5}, Data{TargetShape: []int{5}}
	for _, c := range []struct {
		loss string
		m    spec.Metric
		data Data
	}{
		{"mse", spec.Metric{Type: "accuracy"}, numbers}, {"mse", spec.Metric{Type: "auc"}, numbers},
		{"mse", spec.Metric{Type: "perplexity"}, numbers}, {"cross_entropy", spec.Metric{Type: "mae"}, labels},
		{"cross_entropy", spec.Metric{Type: "top_k_accuracy", K: 6}, labels},
		{"cross_entropy", spec.Metric{Type: "precision", Threshold: 1}, labels}, {"cross_entropy", spec.Metric{Type: "bleu"}, labels},
	} {
		d, err := buildLoss(spec.Loss{Type: c.loss}, c.data, shape{dims: []int{5}})
		if err != nil {
			t.Fatal(err)
		}
		n := &Network{loss: d, stats: 2, output: shape{dims: []int{5}}}
		if err := n.addMeter(c.m); err == nil {
			t.Errorf("%s with the loss %s: no error", c.m.Type, c.loss)
		}
		good := spec.Metric{Type: "rmse"}
		if c.loss == "cross_entropy" {
			good.Type = "accuracy"
		}
		if err := n.addMeter(good); err != nil {
			t.Error(err)
		}
		if err := n.addMeter(good); err == nil {
			t.Errorf("%s twice: no error", good.Type)
		}
	}
}
