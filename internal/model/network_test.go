package model

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// floats draws n numbers in [-1, 1).
func floats(seed uint64, n int) []float32 {
	s := rng.New(seed, rng.Augment, 0, 0, 0)
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*s.Float32() - 1
	}
	return v
}

func labels(seed uint64, n, classes int) []int32 {
	s := rng.New(seed, rng.Augment, 1, 0, 0)
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(s.IntN(classes))
	}
	return v
}

// mlp is a small classifier with dropout.
func mlp() *spec.TrainJob {
	return &spec.TrainJob{
		Model: spec.Model{Layers: []spec.Layer{
			{Type: "dense", Units: 19, Activation: "relu"},
			{Type: "dropout", Rate: 0.3},
			{Type: "dense", Units: 7, Activation: "gelu"},
			{Type: "dense", Units: 5},
		}},
		Loss:    spec.Loss{Type: "cross_entropy"},
		Metrics: []spec.Metric{{Type: "accuracy"}},
	}
}

func mlpBatch(n int) Batch { return Batch{N: n, X: floats(1, n*11), Labels: labels(2, n, 5)} }

var mlpData = Data{Shape: []int{11}, Classes: 5}

// result is one Train's outcome.
type result struct {
	grad  []float32
	stats []float64
	ready []int
}

func train(t *testing.T, p *Pass, w *Weights, b Batch, key Key) result {
	t.Helper()
	r := result{grad: make([]float32, p.net.size), stats: make([]float64, p.net.stats)}
	for i := range r.grad {
		r.grad[i] = float32(math.NaN()) // whatever was there is overwritten
	}
	early := make([]float32, p.net.size)
	if err := p.Train(w, b, key, r.grad, r.stats, func(i int) {
		r.ready = append(r.ready, i)
		q := &p.net.params[i]
		copy(early[q.Off:q.Off+q.Len], r.grad[q.Off:])
	}); err != nil {
		t.Fatal(err)
	}
	if !sameBits(early, r.grad) {
		t.Error("a gradient changed after it was declared ready, or its padding is not 0")
	}
	if slices.ContainsFunc(r.grad, func(v float32) bool { return v != v }) {
		t.Error("a part of the gradient was not written")
	}
	return r
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// loaded is a network with initial weights.
func loaded(t *testing.T, job *spec.TrainJob, data Data) (*Network, *Weights) {
	t.Helper()
	n, err := Build(job, data)
	if err != nil {
		t.Fatal(err)
	}
	params := make([]float32, n.Size())
	n.Init(params, 5)
	w := n.NewWeights()
	w.Load(params)
	return n, w
}

func TestGradientIsAFunctionOfBatchAndKey(t *testing.T) {
	n, w := loaded(t, mlp(), mlpData)
	b, key := mlpBatch(9), Key{Seed: 3, Step: 4, Micro: 5}
	want := train(t, n.NewPass(9), w, b, key)
	large := n.NewPass(33)
	train(t, large, w, mlpBatch(33), Key{Seed: 8}) // leaves its traces
	got := train(t, large, w, b, key)
	if !sameBits(got.grad, want.grad) || !slices.Equal(got.stats, want.stats) {
		t.Error("the gradient depends on the size or the past of a Pass")
	}
	if other := train(t, large, w, b, Key{Seed: 3, Step: 4, Micro: 6}); sameBits(other.grad, want.grad) {
		t.Error("dropout is the same in another micro-batch")
	}
}

func TestPaddingIsZeroAndReadyDescends(t *testing.T) {
	n, w := loaded(t, mlp(), mlpData)
	r := train(t, n.NewPass(4), w, mlpBatch(4), Key{})
	inside := make([]bool, n.Size())
	for i, p := range n.Params() {
		if p.Off%align != 0 {
			t.Errorf("%s starts at %d", p.Name, p.Off)
		}
		for k := range p.Len {
			inside[p.Off+k] = true
		}
		if want := len(n.Params()) - 1 - i; r.ready[i] != want {
			t.Fatalf("ready: %v", r.ready)
		}
	}
	for i, v := range r.grad {
		if v != v || !inside[i] && v != 0 {
			t.Fatalf("grad[%d] = %v", i, v)
		}
	}
	if len(r.ready) != len(n.Params()) {
		t.Fatalf("ready: %v", r.ready)
	}
}

func TestEmptyBatch(t *testing.T) {
	n, w := loaded(t, mlp(), mlpData)
	r := train(t, n.NewPass(4), w, Batch{}, Key{})
	if slices.ContainsFunc(r.grad, func(v float32) bool { return v != 0 }) || r.stats[0] != 0 || r.stats[1] != 0 {
		t.Errorf("an empty batch has stats %v", r.stats)
	}
	if len(r.ready) != len(n.Params()) {
		t.Errorf("ready: %v", r.ready)
	}
	if m := n.Metrics(r.stats); len(m) != 0 {
		t.Errorf("metrics of nothing: %v", m)
	}
}

func TestWarmPassAllocatesNothing(t *testing.T) {
	n, w := loaded(t, mlp(), mlpData)
	p, b := n.NewPass(8), mlpBatch(8)
	grad, stats := make([]float32, n.Size()), make([]float64, n.NumStats())
	ready := func(int) {}
	if a := testing.AllocsPerRun(5, func() {
		_ = p.Train(w, b, Key{}, grad, stats, ready)
		_ = p.Eval(w, b, stats)
	}); a != 0 {
		t.Errorf("Train and Eval allocate %v times", a)
	}
}

func TestStatsAddUp(t *testing.T) {
	n, w := loaded(t, mlp(), mlpData)
	p, b := n.NewPass(10), mlpBatch(10)
	whole, part, total := make([]float64, n.stats), make([]float64, n.stats), make([]float64, n.stats)
	if err := p.Eval(w, b, whole); err != nil {
		t.Fatal(err)
	}
	for i := range b.N {
		if err := p.Eval(w, Batch{N: 1, X: b.X[i*11 : (i+1)*11], Labels: b.Labels[i : i+1]}, part); err != nil {
			t.Fatal(err)
		}
		for k, v := range part {
			total[k] += v
		}
	}
	for k, v := range total {
		if math.Abs(v-whole[k]) > 1e-12*math.Abs(v) {
			t.Errorf("stat %d: %v one by one, %v together", k, v, whole[k])
		}
	}
	m := n.Metrics(whole)
	if m["loss"] != whole[0]/10 || m["accuracy"] != whole[2]/10 {
		t.Errorf("metrics %v of %v", m, whole)
	}
}

func TestRecordsThatDoNotFit(t *testing.T) {
	n, w := loaded(t, mlp(), mlpData)
	p := n.NewPass(4)
	b := mlpBatch(4)
	b.Labels[2] = 5
	var record *RecordError
	if err := p.Eval(w, b, make([]float64, n.stats)); !errors.As(err, &record) || record.Index != 2 {
		t.Errorf("label 5 of 5 classes: %v", err)
	}
	var batch *BatchError
	for _, b := range []Batch{mlpBatch(5), {N: 2, X: floats(1, 21), Labels: []int32{0, 1}}, {N: 1, X: floats(1, 11)}, {N: -1}} {
		if err := p.Eval(w, b, make([]float64, n.stats)); !errors.As(err, &batch) {
			t.Errorf("batch of %d with %d values: %v", b.N, len(b.X), err)
		}
	}
}

func TestBuildErrorsNameLayerAndShapes(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*spec.TrainJob, *Data)
		want []string
	}{
		{"unknown layer", func(j *spec.TrainJob, _ *Data) { j.Model.Layers[1].Type = "dens" }, []string{`"dens"`}},
		{"no units", func(j *spec.TrainJob, _ *Data) { j.Model.Layers[0].Units = 0 }, []string{`layer "dense"`, "units"}},
		{"twice a name", func(j *spec.TrainJob, _ *Data) { j.Model.Layers[0].Name, j.Model.Layers[2].Name = "a", "a" }, []string{`"a"`}},
		{"input", func(j *spec.TrainJob, _ *Data) { j.Model.Input.Shape = []int{3, 4} }, []string{"[3 4]", "[11]"}},
		{"classes", func(_ *spec.TrainJob, d *Data) { d.Classes = 6 }, []string{"[5]", "6"}},
		{"target", func(_ *spec.TrainJob, d *Data) { d.TargetShape = []int{2} }, []string{"[5]", "[2]"}},
		{"vector target", func(j *spec.TrainJob, d *Data) {
			*d, j.Loss.Type = Data{Shape: []int{11}, TargetShape: []int{6}}, "mse"
		}, []string{"[5]", "[6]"}},
		{"loss", func(j *spec.TrainJob, _ *Data) { j.Loss.Type = "l2" }, []string{`"l2"`}},
		{"metric", func(j *spec.TrainJob, _ *Data) { j.Metrics[0].Type = "rmse" }, []string{"rmse"}},
		{"freeze", func(j *spec.TrainJob, _ *Data) { j.Model.Freeze = []string{"dense_9"} }, []string{`"dense_9"`}},
		{"activation", func(j *spec.TrainJob, _ *Data) { j.Model.Layers[2].Activation = "rule" }, []string{`layer "dense_1"`, `"rule"`}},
		{"ids", func(_ *spec.TrainJob, d *Data) { d.Integer = true }, []string{`layer "dense"`, "[11]", "ids"}},
	} {
		job, data := mlp(), mlpData
		c.edit(job, &data)
		_, err := Build(job, data)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %s", c.name, err, w)
			}
		}
	}
}

func TestFreeze(t *testing.T) {
	job := mlp()
	free, w := loaded(t, job, mlpData)
	want := train(t, free.NewPass(6), w, mlpBatch(6), Key{})
	job.Model.Freeze = []string{"dense", "dense_1"}
	n, w := loaded(t, job, mlpData)
	got := train(t, n.NewPass(6), w, mlpBatch(6), Key{})
	if len(got.ready) != len(n.params) {
		t.Errorf("ready: %v", got.ready)
	}
	for _, p := range n.Params() {
		g := got.grad[p.Off : p.Off+p.Len]
		frozen := p.Name != "dense_2/kernel" && p.Name != "dense_2/bias"
		if (p.Kind == Frozen) != frozen {
			t.Errorf("%s is of kind %d", p.Name, p.Kind)
		}
		if frozen && slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
			t.Errorf("%s has a gradient", p.Name)
		}
		if !frozen && !sameBits(g, want.grad[p.Off:p.Off+p.Len]) {
			t.Errorf("%s: freezing other layers changed its gradient", p.Name)
		}
	}
}
