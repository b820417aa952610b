package model

import (
	"lockstep/internal/kernel"
)

// Node is a layer as the network computes it, in words: what another program needs to compute the same. Its type is one
// of the specification's, or "stack", which is its Layers one after the other; its fields are those that the type uses.
// Nobody may change it.
type Node struct {
	Type    string
	Name    string // with those of the layers around it, "/" between them
	In, Out []int  // shapes of one record
	IDs     bool   // the input is token ids
	Mask    bool   // it makes a mask of its steps, or its input comes with one

	Params     map[string]Param // by Keras' names: "kernel", "bias", ...
	Activation Activation       // dense, conv2d, conv2d_transpose, simple_rnn, activation

	Window    kernel.Window // conv2d, and pools; of conv2d_transpose that of the convolution that it is the gradient of
	Groups    int           // conv2d
	Epsilon   float64       // batch_norm, layer_norm
	Sequences bool          // recurrent: the output is every state, not only the last
	Merge     string        // bidirectional
	Steps     int           // time_distributed
	Heads     int           // multi_head_attention
	KeyDim    int           //
	Causal    bool          //
	Table     []float32     // positional_embedding that is not learned: [time, features]

	Layers []Node // stack, residual: their layers; bidirectional: ahead and back; time_distributed: the layer inside
}

// Activation is an element-wise function, or one over the last axis, by the specification's name; "gelu_tanh" is the
// approximation.
type Activation struct {
	Kind         string
	Slope, Alpha float32
}

// Describe tells what Predict computes.
func (n *Network) Describe() Node {
	d := describer{n}
	root := d.node("", n.root)
	if n.final != nil {
		root.Layers = append(root.Layers, Node{Type: "activation", Name: "output", In: n.output.dims, Out: n.output.dims, Activation: n.final.words()})
	}
	return root
}

func (a *activation) words() Activation { return Activation{a.kind, a.slope, a.alpha} }

type describer struct{ net *Network }

// param is parameter i, if it is one.
func (d describer) param(to map[string]Param, name string, i int) {
	if i >= 0 {
		to[name] = d.net.params[i]
	}
}

func (d describer) stack(s *stack) []Node {
	var out []Node
	for _, p := range s.parts {
		out = append(out, d.node(p.name, p.layer))
	}
	return out
}

// start is what all layers tell.
func (d describer) start(kind, name string, b *base) Node {
	return Node{Type: kind, Name: name, In: b.in.dims, Out: b.o.dims, IDs: b.in.ids, Mask: b.in.mask || b.o.mask, Params: map[string]Param{}}
}

func (d describer) node(name string, l layer) Node {
	switch l := l.(type) {
	case *stack:
		n := d.start("stack", name, &l.base)
		n.Layers = d.stack(l)
		return n
	case *residual:
		n := d.start("residual", name, &l.base)
		n.Layers = d.stack(l.f)
		return n
	case *timeDistributed:
		n := d.start("time_distributed", name, &l.base)
		n.Steps, n.Layers = l.steps, []Node{d.node(name, l.inner)}
		return n
	case *bidirectional:
		n := d.start("bidirectional", name, &l.base)
		n.Merge, n.Sequences, n.Layers = l.merge, l.ahead.sequences, []Node{d.recurrent(name, l.ahead), d.recurrent(name, l.back)}
		return n
	case *recurrent:
		return d.recurrent(name, l)
	case *attention:
		return d.attention(name, l)
	case *conv:
		return d.conv(name, l)
	case *pool:
		return d.pool(name, l)
	}
	return d.simple(name, l)
}

// simple describes layers of one tensor or two.
func (d describer) simple(name string, l layer) (n Node) {
	switch l := l.(type) {
	case *dense:
		n = d.start("dense", name, &l.base)
		d.param(n.Params, "kernel", l.linear.kernel)
		d.param(n.Params, "bias", l.bias)
		n.Activation = l.act.words()
	case *activationLayer:
		n = d.start("activation", name, &l.base)
		n.Activation = l.act.words()
	case *reshape:
		n = d.start("reshape", name, &l.base)
	case *dropout:
		n = d.start("dropout", name, &l.base)
	case *batchNorm:
		n = d.start("batch_norm", name, &l.base)
		n.Epsilon = l.epsilon
		for p, i := range map[string]int{"gamma": l.gamma, "beta": l.beta, "moving_mean": l.movMean, "moving_variance": l.movVar} {
			d.param(n.Params, p, i)
		}
	case *layerNorm:
		n = d.start("layer_norm", name, &l.base)
		n.Epsilon = l.epsilon
		d.param(n.Params, "gamma", l.gamma)
		d.param(n.Params, "beta", l.beta)
	case *embedding:
		n = d.start("embedding", name, &l.base)
		d.param(n.Params, "table", l.table)
	case *position:
		n = d.start("positional_embedding", name, &l.base)
		if n.Table = l.sines; n.Table == nil {
			d.param(n.Params, "table", l.table)
		}
	}
	return n
}

func (d describer) conv(name string, l *conv) Node {
	n := d.start("conv2d", name, &l.base)
	if l.transposed {
		n.Type = "conv2d_transpose"
	}
	n.Window, n.Groups, n.Activation = l.geometry.Window, l.geometry.Groups, l.act.words()
	d.param(n.Params, "kernel", l.kernel)
	d.param(n.Params, "bias", l.bias)
	return n
}

// pool is one over the whole image if all of it is in the window, and the axes are gone.
func (d describer) pool(name string, l *pool) Node {
	kind := map[bool]string{false: "max_pool2d", true: "average_pool2d"}[l.mean]
	if len(l.o.dims) == 1 {
		kind = "global_" + kind
	}
	n := d.start(kind, name, &l.base)
	n.Window = l.window
	return n
}

// recurrent tells the type by the number of gates.
func (d describer) recurrent(name string, l *recurrent) Node {
	n := d.start(map[int]string{1: "simple_rnn", 3: "gru", 4: "lstm"}[l.gates], name, &l.base)
	d.param(n.Params, "kernel", l.input.kernel)
	d.param(n.Params, "recurrent_kernel", l.state.kernel)
	d.param(n.Params, "bias", l.bias)
	n.Sequences = l.sequences
	n.Activation = Activation{Kind: "tanh"}
	if c, ok := l.newCell(l, &plan{}).(*simpleCell); ok {
		n.Activation = c.act.words()
	}
	return n
}

func (d describer) attention(name string, l *attention) Node {
	n := d.start("multi_head_attention", name, &l.base)
	n.Heads, n.KeyDim, n.Causal = l.heads, l.size, l.causal
	for _, p := range []struct {
		name string
		p    *projection
	}{{"q_", &l.q}, {"k_", &l.k}, {"v_", &l.v}, {"o_", &l.merge}} {
		d.param(n.Params, p.name+"kernel", p.p.kernel)
		d.param(n.Params, p.name+"bias", p.p.bias)
	}
	return n
}

// IsImage reports whether a record of this shape is [height, width, channels].
func IsImage(dims []int) bool { return len(dims) == 3 }
