package onnx

import (
	"math"
	"slices"

	"lockstep/internal/model"
)

// gateOrder is the place of ONNX's gates among ours: its lstm has i, o, f, c, its gru z, r, h.
var gateOrder = map[string][]int{"simple_rnn": {0}, "lstm": {0, 3, 1, 2}, "gru": {0, 1, 2}}

// rnnActivation are the activations of ONNX's RNN that need no parameter.
var rnnActivation = map[string]string{"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid", "softplus": "Softplus"}

// recurrent adds one direction of a recurrent layer, or two.
func (g *graph) recurrent(n *model.Node, directions []model.Node, x value) value {
	kind := directions[0].Type
	state := directions[0].Params["recurrent_kernel"]
	units, cols, width := state.Shape[0], state.Shape[1], x.dims[1]
	var w, r, b []float32
	for i := range directions {
		d := &directions[i]
		order := gateOrder[kind]
		w = append(w, gates(g.param(d, "kernel"), width, units, order)...)
		r = append(r, gates(g.param(d, "recurrent_kernel"), units, units, order)...)
		b = append(b, biases(g.param(d, "bias"), units, order)...)
	}
	k := len(directions)
	attributes := map[string]any{"hidden_size": units}
	if k == 2 {
		attributes["direction"] = "bidirectional"
	}
	inputs := []string{g.transpose(x.name, 1, 0, 2), g.constant("kernel", []int{k, cols, width}, w),
		g.constant("recurrent_kernel", []int{k, cols, units}, r), g.constant("bias", []int{k, 2 * cols}, b)}
	op := map[string]string{"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}[kind]
	switch kind {
	case "gru":
		attributes["linear_before_reset"] = 1
	case "simple_rnn":
		f, ok := rnnActivation[directions[0].Activation.Kind]
		if !ok {
			return g.fail(n, "there is no equivalent of simple_rnn with the activation "+directions[0].Activation.Kind)
		}
		attributes["activations"] = slices.Repeat([]string{f}, k)
	}
	all, end := g.fresh(op), g.fresh(op)
	g.outputs(op, []string{all, end}, inputs, attributes)
	return g.merge(n, all, end, k, units)
}

// merge brings what came out, [time, directions, batch, units] or [directions, batch, units], in order.
func (g *graph) merge(n *model.Node, all, end string, directions, units int) value {
	steps := n.In[0]
	y, dims := "", []int{directions, units}
	if n.Sequences {
		y, dims = g.transpose(all, 2, 0, 1, 3), append([]int{steps}, dims...)
	} else {
		y = g.transpose(end, 1, 0, 2)
	}
	if directions == 2 && n.Merge != "concat" {
		op := map[string]string{"sum": "ReduceSum", "ave": "ReduceMean", "mul": "ReduceProd"}[n.Merge]
		y = g.op(op, "", []string{y}, map[string]any{"axes": []int{len(dims) - 1}, "keepdims": 0})
		return value{name: y, dims: n.Out}
	}
	return value{name: g.reshape(y, n.Out), dims: n.Out}
}

// gates makes [gates*units, rows] of a kernel [rows, gates*units].
func gates(v []float32, rows, units int, order []int) []float32 {
	cols := len(order) * units
	out := make([]float32, 0, len(v))
	for _, from := range order {
		for u := range units {
			for i := range rows {
				out = append(out, v[i*cols+from*units+u])
			}
		}
	}
	return out
}

// biases makes the biases of the input, then those of the state; ours are one row, or with the gru two.
func biases(v []float32, units int, order []int) []float32 {
	cols := len(order) * units
	out := make([]float32, 2*cols)
	for row := range len(v) / cols {
		for i, from := range order {
			copy(out[row*cols+i*units:][:units], v[row*cols+from*units:])
		}
	}
	return out
}

// hidden is the logarithm of the weight of a step that is not seen.
const hidden = -1e30

// attention adds multi-head attention.
func (g *graph) attention(n *model.Node, x value) value {
	steps, inner := n.In[0], n.Heads*n.KeyDim
	head := func(name string, perm ...int) string {
		k := n.Params[name+"kernel"]
		y := g.linear(x.name, k.Shape, g.param(n, name+"kernel"), g.param(n, name+"bias"), false)
		return g.transpose(g.reshape(y, []int{steps, n.Heads, n.KeyDim}), perm...)
	}
	q, k, v := head("q_", 0, 2, 1, 3), head("k_", 0, 2, 3, 1), head("v_", 0, 2, 1, 3)
	p := g.times(g.op("MatMul", "", []string{q, k}, nil), 1/math.Sqrt(float64(n.KeyDim)))
	if n.Causal {
		mask := make([]float32, steps*steps)
		for i := range steps {
			for j := i + 1; j < steps; j++ {
				mask[i*steps+j] = hidden
			}
		}
		p = g.op("Add", "", []string{p, g.constant("causal", []int{steps, steps}, mask)}, nil)
	}
	p = g.op("Softmax", "", []string{p}, map[string]any{"axis": 3})
	y := g.reshape(g.transpose(g.op("MatMul", "", []string{p, v}, nil), 0, 2, 1, 3), []int{steps, inner})
	o := n.Params["o_kernel"]
	return value{name: g.linear(y, o.Shape, g.param(n, "o_kernel"), g.param(n, "o_bias"), false), dims: n.Out}
}
