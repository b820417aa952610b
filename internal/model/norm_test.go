package model

import (
	"math"
	"testing"

	"lockstep/internal/spec"
)

func normJob() *spec.TrainJob {
	return &spec.TrainJob{Loss: spec.Loss{Type: "mse"}, Model: spec.Model{Layers: []spec.Layer{
		{Type: "dense", Units: 3, KernelRegularizer: &spec.Regularizer{L1: 0.5, L2: 0.25}}, {Type: "batch_norm"}}}}
}

var normData = Data{Shape: []int{4}, TargetShape: []int{3}}

// The place of a moving statistic holds the batch's statistic times the batch's weight, and evaluation reads the moving
// ones.
func TestMovingStatistics(t *testing.T) {
	n, w := loaded(t, normJob(), normData)
	b := Batch{N: 6, X: floats(1, 24), Y: floats(2, 18)}
	p := n.NewPass(6)
	g := train(t, p, w, b, Key{}).grad
	mean := paramNamed(t, n, "moving_mean")
	if mean.Kind != Moving || mean.Momentum != defaultMomentum {
		t.Errorf("moving_mean is %+v", mean)
	}
	x := make([]float32, 18) // what the normalisation reads
	dense := p.root.(*stackUnit).units[0]
	copy(x, dense.forward(&p.c, b.X))
	for j := range 3 {
		sum := 0.0
		for r := range 6 {
			sum += float64(x[r*3+j])
		}
		if got := float64(g[mean.Off+j]); math.Abs(got-sum) > 1e-6 { // mean * 6 records
			t.Errorf("statistic %d is %v, want %v", j, got, sum)
		}
	}
	y := make([]float32, 18)
	if err := p.Predict(w, b, y); err != nil {
		t.Fatal(err)
	}
	for i, v := range y { // moving mean 0, variance 1
		if want := x[i] / float32(math.Sqrt(1+defaultEpsilon)); math.Abs(float64(v-want)) > 1e-6 {
			t.Errorf("prediction %d is %v, want %v", i, v, want)
		}
	}
}

// A frozen batch_norm normalises by its moving statistics in training too, and they stay.
func TestFrozenNormalisation(t *testing.T) {
	job := normJob()
	job.Model.Freeze = []string{"batch_norm"}
	n, w := loaded(t, job, normData)
	b := Batch{N: 6, X: floats(1, 24), Y: floats(2, 18)}
	p := n.NewPass(6)
	r := train(t, p, w, b, Key{})
	stats := make([]float64, n.stats)
	if err := p.Eval(w, b, stats); err != nil || stats[0] != r.stats[0] {
		t.Errorf("training has the loss %v, evaluation %v (%v)", r.stats[0], stats[0], err)
	}
	for _, q := range n.Params()[2:] {
		if q.Kind != Frozen {
			t.Errorf("%s is of kind %d", q.Name, q.Kind)
		}
	}
}

func TestRegularizerIsOnTheKernelAlone(t *testing.T) {
	n, _ := loaded(t, normJob(), normData)
	for _, p := range n.Params() {
		want1, want2 := 0.0, 0.0
		if p.Name == "dense/kernel" {
			want1, want2 = 0.5, 0.25
		}
		if p.L1 != want1 || p.L2 != want2 {
			t.Errorf("%s: l1 %v, l2 %v", p.Name, p.L1, p.L2)
		}
	}
}
