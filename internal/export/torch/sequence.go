package torch

import (
	"strings"

	"lockstep/internal/model"
)

// parent is the module around a module.
func parent(name string) string { return name[:max(strings.LastIndex(name, "."), 0)] }

// recurrent maps the kernels [in, gates*units] and [units, gates*units], and the bias: one row, or with the gru two.
func (m *mapper) recurrent(n *model.Node, name, direction string) {
	kernel, state, bias := n.Params["kernel"], n.Params["recurrent_kernel"], n.Params["bias"]
	u := state.Shape[0]
	cols := state.Shape[1]
	column := func(i int) int { return i }
	if n.Type == "gru" { // ours are z, r, n
		column = func(i int) int { return [...]int{u, 0, 2 * u}[i/u] + i%u }
	}
	turned := func(p model.Param) part {
		k := p.Shape[0]
		return whole(p, func(i int) int { return i%k*cols + column(i/k) })
	}
	end := "_l0" + direction
	m.add(name+".weight_ih"+end, []int{cols, kernel.Shape[0]}, turned(kernel))
	m.add(name+".weight_hh"+end, []int{cols, u}, turned(state))
	if bias.Len == 0 {
		return
	}
	ih := part{param: bias, n: cols, at: column}
	hh := part{param: bias, n: cols, at: column, extra: bias.Len == cols}
	if !hh.extra {
		hh.at = func(i int) int { return cols + column(i) }
	}
	m.add(name+".bias_ih"+end, []int{cols}, ih)
	m.add(name+".bias_hh"+end, []int{cols}, hh)
}

// attention maps q, k and v to one projection, if PyTorch has such a module.
func (m *mapper) attention(n *model.Node) {
	q, o := n.Params["q_kernel"], n.Params["o_kernel"]
	name, width, inner := prefixed(q), q.Shape[0], q.Shape[1]
	if width != inner {
		for _, p := range []string{"q", "k", "v"} {
			m.linear(name+"."+p+"_proj", n.Params[p+"_kernel"], n.Params[p+"_bias"], nil, nil)
		}
	} else {
		m.projections(n, name, width)
	}
	m.linear(name+".out_proj", o, n.Params["o_bias"], nil, nil)
}

func (m *mapper) projections(n *model.Node, name string, width int) {
	var weights, biases []part
	for _, p := range []string{"q", "k", "v"} {
		weights = append(weights, whole(n.Params[p+"_kernel"], func(i int) int { return i%width*width + i/width }))
		if b := n.Params[p+"_bias"]; b.Len > 0 {
			biases = append(biases, whole(b, func(i int) int { return i }))
		}
	}
	m.add(name+".in_proj_weight", []int{3 * width, width}, weights...)
	if biases != nil {
		m.add(name+".in_proj_bias", []int{3 * width}, biases...)
	}
}
