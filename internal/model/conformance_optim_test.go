package model

import (
	"maps"
	"slices"
	"testing"

	"lockstep/internal/optim"
	"lockstep/internal/spec"
)

// layout puts named tensors into one vector, at multiples of align.
func layout(m tensors) (map[string]optim.Range, []optim.Range, int) {
	at, list, size := map[string]optim.Range{}, []optim.Range(nil), 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		r := optim.Range{Off: size, Len: len(m[name].Data)}
		at[name], list = r, append(list, r)
		size = (size + r.Len + align - 1) / align * align
	}
	return at, list, size
}

func fill(v []float32, at map[string]optim.Range, m tensors) []float32 {
	for name, x := range m {
		copy(v[at[name].Off:], x.floats())
	}
	return v
}

func optimizerCase(t *testing.T, op string, c *vectorCase) {
	s := spec.Optimizer{}
	c.attrs(t, &s)
	s.Type = op
	at, list, size := layout(c.Params)
	o, err := optim.New(s, list, size)
	if err != nil {
		t.Fatal(err)
	}
	params := fill(make([]float32, size), at, c.Params)
	state := make([][]float32, len(o.Slots()))
	for i := range state {
		state[i] = make([]float32, size)
	}
	o.InitState(state)
	for i, step := range c.Steps {
		g := fill(make([]float32, size), at, step.Grads)
		o.Update(params, state, g, 1, *step.LearningRate, uint64(i+1))
		for name, want := range step.Params {
			r := at[name]
			c.near(t, name, params[r.Off:r.Off+r.Len], want)
		}
		if len(step.State) != len(state) {
			t.Fatalf("slots are %v, the case has %d", o.Slots(), len(step.State))
		}
		for slot, want := range step.State {
			k := slices.Index(o.Slots(), slot)
			if k < 0 {
				t.Fatalf("slots are %v, the case wants %s", o.Slots(), slot)
			}
			for name, v := range want {
				r := at[name]
				c.near(t, slot+" of "+name, state[k][r.Off:r.Off+r.Len], v)
			}
		}
	}
}

// clipCase reads the clipped gradient off an update with the rate 1 from zero.
func clipCase(t *testing.T, _ string, c *vectorCase) {
	var a struct {
		MaxNorm float64 `json:"max_norm"`
	}
	c.attrs(t, &a)
	at, list, size := layout(c.Inputs)
	o, err := optim.New(spec.Optimizer{Type: "sgd", ClipGlobalNorm: a.MaxNorm}, list, size)
	if err != nil {
		t.Fatal(err)
	}
	params := make([]float32, size)
	norm := o.Update(params, nil, fill(make([]float32, size), at, c.Inputs), 1, -1, 1)
	c.near(t, "norm", []float32{float32(norm)}, c.Outputs["norm"])
	for name, r := range at {
		c.near(t, name, params[r.Off:r.Off+r.Len], c.Outputs[name])
	}
}

func scheduleCase(t *testing.T, _ string, c *vectorCase) {
	var s spec.LRScheduler
	var base struct {
		LearningRate float64 `json:"learning_rate"`
	}
	c.attrs(t, &s)
	c.attrs(t, &base)
	want := c.Outputs["learning_rate"]
	sched, err := optim.NewSchedule(s, base.LearningRate, len(want.Data))
	if err != nil {
		t.Fatal(err)
	}
	state, rates := sched.Start(), make([]float32, len(want.Data))
	for i := range rates {
		rates[i] = float32(sched.Rate(i, state))
		if m, ok := c.Inputs["metric"]; ok {
			state = sched.Observe(state, m.Data[i])
		}
	}
	c.near(t, "learning_rate", rates, want)
}

// twoThreeOneCase is the network of the textbooks, whose weights are the transposes of dense kernels. Half the square
// is the loss huber with a large delta.
func twoThreeOneCase(t *testing.T, _ string, c *vectorCase) {
	var a struct {
		LearningRate float64 `json:"learning_rate"`
	}
	c.attrs(t, &a)
	job := &spec.TrainJob{
		Model: spec.Model{Layers: []spec.Layer{
			{Type: "dense", Name: "l1", Units: spec.Size(c.Params["b1"].Shape[0]), Activation: "relu"},
			{Type: "dense", Name: "l2", Units: spec.Size(c.Params["b2"].Shape[0]), Activation: "relu"},
		}},
		Loss: spec.Loss{Type: "huber", Delta: 1e6}, Optimizer: spec.Optimizer{Type: "sgd"},
	}
	x, y := c.Inputs["x"], c.Inputs["y"]
	r := newTrainer(t, job, Data{Shape: x.Shape, TargetShape: y.Shape}, 1)
	names := map[string]string{"w1": "l1/kernel", "b1": "l1/bias", "w2": "l2/kernel", "b2": "l2/bias"}
	part := func(v []float32, name string) []float32 {
		p := paramNamed(t, r.net, names[name])
		return v[p.Off : p.Off+p.Len]
	}
	for name, p := range c.Params {
		copy(part(r.params, name), transposed(p).floats())
	}
	b := Batch{N: 1, X: x.floats(), Y: y.floats()}
	r.step(t, b, a.LearningRate)
	u := r.pass.root.(*stackUnit)
	first, second := u.units[0].(*denseUnit), u.units[1].(*denseUnit)
	c.near(t, "a1", first.y, c.Outputs["a1"])
	c.near(t, "a2", second.y, c.Outputs["a2"])
	c.near(t, "loss", []float32{float32(r.stats[0])}, c.Outputs["loss"])
	for name, g := range c.Grads { // the weight of one record is 1: the sum is the gradient
		c.near(t, "grad "+name, part(r.grad, name), transposed(g))
	}
	for name, p := range c.UpdatedParams {
		c.near(t, "updated "+name, part(r.params, name), transposed(p))
	}
	for i, l := range []*denseUnit{first, second} { // z comes from the same layers without their activation
		job.Model.Layers[i].Activation = "linear"
		z := newTrainer(t, &spec.TrainJob{Model: spec.Model{Layers: job.Model.Layers[:i+1]}, Loss: job.Loss,
			Optimizer: job.Optimizer}, Data{Shape: x.Shape, TargetShape: []int{l.n}}, 1)
		for name, p := range c.Params {
			if q := names[name]; i == 1 || q[:2] == "l1" {
				p = transposed(p)
				at := paramNamed(t, z.net, q)
				copy(z.params[at.Off:], p.floats())
			}
		}
		out := make([]float32, l.n)
		z.w.Load(z.params)
		if err := z.pass.Predict(z.w, b, out); err != nil {
			t.Fatal(err)
		}
		c.near(t, []string{"z1", "z2"}[i], out, c.Outputs[[]string{"z1", "z2"}[i]])
		job.Model.Layers[i].Activation = "relu"
	}
}

func transposed(m tensor) tensor {
	if len(m.Shape) != 2 {
		return m
	}
	out := tensor{Shape: []int{m.Shape[1], m.Shape[0]}, Data: make([]float64, len(m.Data))}
	for i := range m.Shape[0] {
		for j := range m.Shape[1] {
			out.Data[j*m.Shape[0]+i] = m.Data[i*m.Shape[1]+j]
		}
	}
	return out
}
