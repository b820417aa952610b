package model

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"lockstep/internal/kernel"
	"lockstep/internal/optim"
	"lockstep/internal/spec"
)

type runCase func(t *testing.T, op string, c *vectorCase)

func conformanceOf(op string) runCase {
	switch op {
	case "dense", "conv2d", "conv2d_transpose", "max_pool2d", "average_pool2d", "global_average_pool2d",
		"global_max_pool2d", "batch_norm", "layer_norm", "embedding", "simple_rnn", "lstm", "gru",
		"multi_head_attention", "transformer_block":
		return layerCase
	case "relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "sigmoid", "tanh", "softmax", "log_softmax", "softplus", "silu":
		return activationCase
	case "mse", "mae", "huber", "hinge", "binary_cross_entropy", "cross_entropy", "kl_divergence":
		return lossCase
	case "sgd", "adam", "adamw", "amsgrad", "rmsprop", "adagrad":
		return optimizerCase
	case "clip_global_norm":
		return clipCase
	case "lr_schedule":
		return scheduleCase
	case "positional_encoding":
		return encodingCase
	case "two_three_one":
		return twoThreeOneCase
	}
	if strings.HasPrefix(op, "network_") {
		return networkCase
	}
	return nil
}

// rig is one layer with everything that a Pass would give it. It also wants the gradient of its input.
type rig struct {
	t    *testing.T
	net  *Network
	unit unit
	c    call
}

// newRig builds l for an input of this shape, with n records.
func newRig(t *testing.T, l spec.Layer, in shape, n int, train bool) *rig {
	t.Helper()
	b := &builder{net: &Network{input: in}, data: Data{Vocab: int(l.InputDim)}, freeze: map[string]bool{}, trainable: 1}
	s, err := b.stack([]spec.Layer{l}, in)
	if err != nil {
		t.Fatal(err)
	}
	b.net.root, b.net.output = s, s.o
	p := b.net.planPass(n)
	r := &rig{t: t, net: b.net, unit: p.root, c: p.c}
	r.c.n, r.c.train, r.c.weight = n, train, float32(n)
	r.c.grad = make([]float32, b.net.size)
	r.c.w = b.net.NewWeights()
	r.c.done = len(b.net.params)
	return r
}

// param finds a parameter by the last part of its name.
func paramNamed(t *testing.T, n *Network, name string) *Param {
	t.Helper()
	i := slices.IndexFunc(n.params, func(p Param) bool { return p.Name == name || strings.HasSuffix(p.Name, "/"+name) })
	if i < 0 {
		t.Fatalf("no parameter %q among %v", name, n.params)
	}
	return &n.params[i]
}

// vector gathers named tensors into a parameter vector.
func vector(t *testing.T, n *Network, params tensors) []float32 {
	t.Helper()
	v := make([]float32, n.size)
	if len(params) != len(n.params) {
		t.Fatalf("the case has %d parameters, the network %d", len(params), len(n.params))
	}
	for name, p := range params {
		q := paramNamed(t, n, name)
		if !slices.Equal(q.Shape, p.Shape) {
			t.Fatalf("%s has shape %v, want %v", name, q.Shape, p.Shape)
		}
		copy(v[q.Off:q.Off+q.Len], p.floats())
	}
	return v
}

// layerAttrs are those of a layer whose names differ from the specification's.
type layerAttrs struct {
	Dilation spec.Pair `json:"dilation"`
	DModel   int       `json:"d_model"`
	Training *bool     `json:"training"`
}

func layerCase(t *testing.T, op string, c *vectorCase) {
	var l spec.Layer
	var a layerAttrs
	c.attrs(t, &l)
	c.attrs(t, &a)
	l.Type, l.Dilation = op, a.Dilation
	x, ids := c.Inputs["x"], false
	if op == "embedding" {
		x, ids = c.Inputs["ids"], true
	}
	r := newRig(t, l, shape{dims: x.Shape[1:], ids: ids}, x.Shape[0], a.Training == nil || *a.Training)
	w := vector(t, r.net, c.Params)
	r.c.w.Load(w)
	if ids {
		r.c.ids = x.ints()
	}
	xs := x.floats()
	y := r.unit.forward(&r.c, xs)
	c.near(t, "y", y, c.Outputs["y"])
	c.near(t, "x afterwards", xs, x)
	r.c.finish(len(r.net.params))
	dx := r.unit.backward(&r.c, c.OutputGrad["y"].floats()) // a buffer of its own, neither a nor b
	for name, g := range c.Grads {
		if name == "x" {
			c.near(t, "grad x", dx, g)
			continue
		}
		p := paramNamed(t, r.net, name)
		c.near(t, "grad "+name, r.c.grad[p.Off:p.Off+p.Len], g)
	}
	o, err := optim.New(spec.Optimizer{Type: "sgd"}, ranges(r.net), r.net.size)
	if err != nil {
		t.Fatal(err)
	}
	o.Update(w, nil, r.c.grad, float64(x.Shape[0]), 0, 1) // at the rate 0 only moving statistics change
	for name, want := range c.Outputs {
		if name != "y" {
			q := paramNamed(t, r.net, name)
			c.near(t, name, w[q.Off:q.Off+q.Len], want)
		}
	}
}

// ranges says to the optimizer what the parameters are.
func ranges(n *Network) []optim.Range {
	var r []optim.Range
	for _, p := range n.params {
		r = append(r, optim.Range{Off: p.Off, Len: p.Len, Moving: p.Kind == Moving, Frozen: p.Kind == Frozen,
			Momentum: p.Momentum, L1: p.L1, L2: p.L2})
	}
	return r
}

func activationCase(t *testing.T, op string, c *vectorCase) {
	l := spec.Layer{}
	c.attrs(t, &l)
	l.Type, l.Activation = "activation", op
	x := c.Inputs["x"]
	n, dims := 1, x.Shape
	if len(x.Shape) > 1 {
		n, dims = x.Shape[0], x.Shape[1:]
	}
	r := newRig(t, l, shape{dims: dims}, n, true)
	y := r.unit.forward(&r.c, x.floats())
	c.near(t, "y", y, c.Outputs["y"])
	c.near(t, "grad x", r.unit.backward(&r.c, c.OutputGrad["y"].floats()), c.Grads["x"])
}

func lossCase(t *testing.T, op string, c *vectorCase) {
	var l spec.Loss
	var a struct{ Sparse bool }
	c.attrs(t, &l)
	c.attrs(t, &a)
	l.Type = op
	y, target := c.Inputs["y_pred"], c.Inputs["y_true"]
	n, out := y.Shape[0], shape{dims: y.Shape[1:]}
	data, b := Data{TargetShape: target.Shape[1:]}, Batch{N: n}
	if a.Sparse {
		data.Classes, b.Labels = out.last(), target.ints()
	} else {
		b.Y = target.floats()
	}
	d, err := buildLoss(l, data, out)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.check(b); err != nil {
		t.Fatal(err)
	}
	u := d.newUnit(&plan{rows: n})
	dy, stats := make([]float32, len(y.Data)), make([]float64, 2)
	u.run(&call{n: n}, dy, y.floats(), b, stats)
	c.near(t, "loss", []float32{float32(stats[0] / stats[1])}, c.Outputs["loss"])
	kernel.Scale(dy, float32(1/stats[1]), dy)
	c.near(t, "grad", dy, c.Grads["y_pred"])
}

// trainer is a network with its optimizer, as a worker would drive it.
type trainer struct {
	net    *Network
	opt    *optim.Optimizer
	pass   *Pass
	w      *Weights
	params []float32
	grad   []float32
	state  [][]float32
	stats  []float64
	t      uint64
}

func newTrainer(t *testing.T, job *spec.TrainJob, data Data, rows int) *trainer {
	t.Helper()
	n, err := Build(job, data)
	if err != nil {
		t.Fatal(err)
	}
	o, err := optim.New(job.Optimizer, ranges(n), n.size)
	if err != nil {
		t.Fatal(err)
	}
	r := &trainer{net: n, opt: o, pass: n.NewPass(rows), w: n.NewWeights(), params: make([]float32, n.size),
		grad: make([]float32, n.size), stats: make([]float64, n.NumStats())}
	for range o.Slots() {
		r.state = append(r.state, make([]float32, n.size))
	}
	o.InitState(r.state)
	return r
}

// step computes the gradient of b and the update.
func (r *trainer) step(t *testing.T, b Batch, lr float64) {
	t.Helper()
	r.gradient(t, b)
	r.t++
	r.opt.Update(r.params, r.state, r.grad, r.stats[1], lr, r.t)
}

func (r *trainer) gradient(t *testing.T, b Batch) {
	t.Helper()
	r.w.Load(r.params)
	if err := r.pass.Train(r.w, b, Key{Step: r.t}, r.grad, r.stats, nil); err != nil {
		t.Fatal(err)
	}
}

func networkCase(t *testing.T, _ string, c *vectorCase) {
	var a struct {
		Layers    []spec.Layer
		Loss      spec.Loss
		Optimizer spec.Optimizer
	}
	c.attrs(t, &a)
	x, target := c.Inputs["x"], c.Inputs["y_true"]
	y := c.Outputs["y"]
	b := Batch{N: x.Shape[0], X: x.floats()}
	data := Data{Shape: x.Shape[1:], TargetShape: target.Shape[1:]}
	if target.DType == "int32" {
		data.Classes, b.Labels = y.Shape[len(y.Shape)-1], target.ints()
	} else {
		b.Y = target.floats()
	}
	job := &spec.TrainJob{Model: spec.Model{Layers: a.Layers}, Loss: a.Loss, Optimizer: a.Optimizer}
	r := newTrainer(t, job, data, b.N)
	copy(r.params, vector(t, r.net, slashed(c.Params)))
	out := make([]float32, len(y.Data))
	r.w.Load(r.params)
	if err := r.pass.Predict(r.w, b, out); err != nil {
		t.Fatal(err)
	}
	c.near(t, "y", out, y)
	for _, s := range c.Steps {
		r.gradient(t, b)
		c.near(t, "loss", []float32{float32(r.stats[0] / r.stats[1])}, lossOf(t, s))
		scaled := make([]float32, len(r.grad))
		kernel.Scale(scaled, float32(1/r.stats[1]), r.grad)
		r.compare(t, c, "grad", scaled, slashed(s.Grads))
		r.t++
		r.opt.Update(r.params, r.state, r.grad, r.stats[1], a.Optimizer.LearningRate, r.t)
		r.compare(t, c, "param", r.params, slashed(s.Params))
	}
}

func (r *trainer) compare(t *testing.T, c *vectorCase, what string, v []float32, want tensors) {
	t.Helper()
	for name, w := range want {
		p := paramNamed(t, r.net, name)
		c.near(t, what+" "+name, v[p.Off:p.Off+p.Len], w)
	}
}

// slashed renames layer.parameter to the network's layer/parameter.
func slashed(m tensors) tensors {
	out := tensors{}
	for k, v := range m {
		out[strings.Replace(k, ".", "/", 1)] = v
	}
	return out
}

// lossOf reads a step's loss, a number or a tensor.
func lossOf(t *testing.T, s vectorStep) tensor {
	t.Helper()
	var v tensor
	if json.Unmarshal(s.Loss, &v) != nil {
		v.Data = make([]float64, 1)
		if err := json.Unmarshal(s.Loss, &v.Data[0]); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func encodingCase(t *testing.T, _ string, c *vectorCase) {
	var a struct {
		Length int
		DModel int `json:"d_model"`
	}
	c.attrs(t, &a)
	c.near(t, "y", positionalEncoding(a.Length, a.DModel), c.Outputs["y"])
}
