package torch

import (
	"lockstep/internal/model"
)

// order is a permutation of features: PyTorch's feature i is our feature order[i]. nil is the identity.
type order []int

// at is our place of PyTorch's feature i.
func (o order) at(i int) int {
	if o == nil {
		return i
	}
	return o[i]
}

// imageOrder is the order of a flattened image: [channels, height, width] there, [height, width, channels] here.
func imageOrder(dims []int) order {
	h, w, c := dims[0], dims[1], dims[2]
	if h*w == 1 || c == 1 {
		return nil
	}
	o := make(order, 0, h*w*c)
	for k := range c {
		for p := range h * w {
			o = append(o, p*c+k)
		}
	}
	return o
}

// mapping lists PyTorch's tensors in the order of the layers.
func mapping(net *model.Network) []tensor {
	m := &mapper{}
	m.layers(net.Describe().Layers, nil, nil)
	return m.out
}

type mapper struct{ out []tensor }

// layers maps layers one after the other. in is the order of what they get, want that which their output has to have.
func (m *mapper) layers(nodes []model.Node, in, want order) order {
	for i := range nodes {
		out := want
		if i+1 < len(nodes) {
			out = wanted(nodes[i+1:], want)
		}
		in = m.layer(&nodes[i], in, out)
	}
	return in
}

// wanted is the order that a layer's output must have for those after it: that of the image into which it is reshaped.
func wanted(next []model.Node, end order) order {
	for _, n := range next {
		switch n.Type {
		case "activation", "dropout", "batch_norm", "layer_norm":
		case "reshape":
			if len(n.In) == 1 && model.IsImage(n.Out) {
				return imageOrder(n.Out)
			}
			return nil
		default:
			return nil
		}
	}
	return end
}

// layer maps a layer, whose input has the order in and whose output should have the order want, and returns the
// order that its output has.
func (m *mapper) layer(n *model.Node, in, want order) order {
	switch n.Type {
	case "stack":
		return m.layers(n.Layers, in, want)
	case "residual":
		m.layers(n.Layers, in, in)
		return in
	case "time_distributed":
		m.layers(n.Layers, nil, nil)
	case "reshape":
		if model.IsImage(n.In) && len(n.Out) == 1 {
			return imageOrder(n.In)
		}
	case "activation", "dropout":
		return in
	case "batch_norm", "layer_norm":
		m.norm(n, in)
		return in
	case "dense":
		m.linear(prefixed(n.Params["kernel"]), n.Params["kernel"], n.Params["bias"], in, want)
		return want
	case "conv2d", "conv2d_transpose":
		m.conv(n)
	case "embedding", "positional_embedding":
		if p, ok := n.Params["table"]; ok {
			m.same(module(p)+".weight", p)
		}
	case "simple_rnn", "lstm", "gru":
		m.recurrent(n, module(n.Params["kernel"]), "")
	case "bidirectional":
		name := parent(module(n.Layers[0].Params["kernel"]))
		m.recurrent(&n.Layers[0], name, "")
		m.recurrent(&n.Layers[1], name, "_reverse")
	case "multi_head_attention":
		m.attention(n)
	}
	return nil
}

func (m *mapper) add(name string, shape []int, parts ...part) {
	m.out = append(m.out, tensor{name, shape, parts})
}

// whole is all of a parameter, element i there being element at(i) here.
func whole(p model.Param, at func(i int) int) part { return part{param: p, n: p.Len, at: at} }

func (m *mapper) same(name string, p model.Param) {
	m.add(name, p.Shape, whole(p, func(i int) int { return i }))
}

// linear maps a kernel [in, out] to a weight [out, in], and the bias if there is one.
func (m *mapper) linear(name string, kernel, bias model.Param, in, out order) {
	k, n := kernel.Shape[0], kernel.Shape[1]
	m.add(name+".weight", []int{n, k}, whole(kernel, func(i int) int { return in.at(i%k)*n + out.at(i/k) }))
	if bias.Len > 0 {
		m.add(name+".bias", []int{n}, whole(bias, out.at))
	}
}

func (m *mapper) norm(n *model.Node, in order) {
	for _, p := range [][2]string{{"gamma", "weight"}, {"beta", "bias"}, {"moving_mean", "running_mean"}, {"moving_variance", "running_var"}} {
		if x, ok := n.Params[p[0]]; ok {
			m.add(prefixed(x)+"."+p[1], x.Shape, whole(x, in.at))
		}
	}
}

// conv maps a kernel [height, width, a, b] to a weight [b, a, height, width].
func (m *mapper) conv(n *model.Node) {
	k := n.Params["kernel"]
	s := k.Shape
	area := s[0] * s[1]
	m.add(module(k)+".weight", []int{s[3], s[2], s[0], s[1]}, whole(k, func(i int) int {
		at, a, b := i%area, i/area%s[2], i/area/s[2]
		return (at*s[2]+a)*s[3] + b
	}))
	if b := n.Params["bias"]; b.Len > 0 {
		m.same(module(b)+".bias", b)
	}
}
