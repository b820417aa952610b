package model

import (
	"math"

	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// attention is multi-head self-attention (Vaswani et al. 2017). Head i owns the columns i*size to (i+1)*size-1 of
//
//	q = x*q_kernel + q_bias,  k and v alike
//	y = (the heads' softmax(q*k' / sqrt(size)) * v, side by side) * o_kernel + o_bias
//
// With causal a step sees itself and earlier ones. Masked steps are seen by none; where all are masked, what a step sees
// is their mean.
type attention struct {
	base
	steps, width   int
	heads, size    int
	causal         bool
	q, k, v, merge projection
	scale          float32
}

// projection is x*kernel + bias.
type projection struct {
	linear
	bias int // parameter; -1: none
}

func buildAttention(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids || len(in.dims) != 2 {
		return nil, b.needs("[time, features]", in)
	}
	d := in.dims[1]
	if l.NumHeads < 1 || l.KeyDim == 0 && d%l.NumHeads != 0 {
		return nil, b.errorf("num_heads is %d, which does not divide its input of shape %v", l.NumHeads, in.dims)
	}
	a := &attention{base: b.base(in, in), steps: in.dims[0], width: d, heads: l.NumHeads, size: l.KeyDim, causal: l.Causal}
	if a.size == 0 {
		a.size = d / a.heads
	}
	a.scale = float32(1 / math.Sqrt(float64(a.size)))
	inner := a.heads * a.size
	for _, p := range []struct {
		to   *projection
		name string
		k, n int
	}{{&a.q, "q_", d, inner}, {&a.k, "k_", d, inner}, {&a.v, "v_", d, inner}, {&a.merge, "o_", inner, d}} {
		if err := b.projection(p.to, p.name, l, p.k, p.n, a.dx || p.to == &a.merge); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// projection adds a kernel and a bias, their names starting with name.
func (b *builder) projection(to *projection, name string, l *spec.Layer, k, n int, dx bool) error {
	outer := b.prefix
	b.prefix += name
	defer func() { b.prefix = outer }()
	init, err := b.initial(l.KernelInitializer, "glorot_uniform", k, n)
	if err != nil {
		return err
	}
	to.linear = b.linear(b.param("kernel", init, l.KernelRegularizer, k, n), k, n, n, 0, dx)
	to.bias, err = b.bias(l, n)
	return err
}

func (l *attention) newUnit(p *plan) unit {
	inner := l.steps * l.heads * l.size
	p.grad(max(l.in.size(), inner))
	return &attentionUnit{attention: l, qs: p.floats(inner), ks: p.floats(inner), vs: p.floats(inner), os: p.floats(inner),
		dq: p.floats(inner), dk: p.floats(inner), dv: p.floats(inner), y: p.floats(l.o.size()),
		ps: p.floats(l.heads * l.steps * l.steps), dp: make([]float32, l.steps*l.steps)}
}

type attentionUnit struct {
	*attention
	x, y           []float32
	qs, ks, vs, os []float32 // [record, time, heads*size]; qs is scaled
	dq, dk, dv     []float32
	ps             []float32 // [record, head, time, time]: what each step sees of each
	dp             []float32 // of one head
}

// hidden is the logarithm of the weight of a step that is not seen, up to a constant: small enough to give 0, and finite.
const hidden = -1e30

func (p *projection) forward(c *call, m int, y, x []float32) {
	p.apply(c, m, y, p.n, x, p.linear.k, false)
	if p.bias >= 0 {
		kernel.AddBias(y, c.param(p.bias))
	}
}

// backward sums the gradients of kernel and bias.
func (p *projection) backward(c *call, m int, x, dy []float32) {
	if p.bias >= 0 {
		biasGrad(c, p.bias, dy)
		c.finish(p.bias)
	}
	p.weightGrad(c, m, x, p.linear.k, dy, p.n, false)
	c.finish(p.kernel)
}

func (u *attentionUnit) forward(c *call, x []float32) []float32 {
	u.x = x
	m, inner := c.n*u.steps, u.heads*u.size
	q, k, v, o := u.qs[:m*inner], u.ks[:m*inner], u.vs[:m*inner], u.os[:m*inner]
	u.q.forward(c, m, q, x)
	kernel.Scale(q, u.scale, q)
	u.k.forward(c, m, k, x)
	u.v.forward(c, m, v, x)
	t := u.steps
	for r := range c.n {
		for h := range u.heads {
			at, p := r*t*inner+h*u.size, u.p(r, h)
			kernel.Gemm(false, true, t, t, u.size, q[at:], inner, k[at:], inner, false, p, t, c.ws)
			u.hide(c, r, p)
		}
	}
	all := u.ps[:c.n*u.heads*t*t]
	kernel.Softmax(all, all, t)
	for r := range c.n {
		for h := range u.heads {
			at := r*t*inner + h*u.size
			kernel.Gemm(false, false, t, u.size, t, u.p(r, h), t, v[at:], inner, false, o[at:], inner, c.ws)
		}
	}
	y := u.y[:len(x)]
	u.merge.forward(c, m, y, o)
	return y
}

// p is the weights of one record and head, [time, time].
func (u *attentionUnit) p(r, h int) []float32 {
	w := u.steps * u.steps
	i := (r*u.heads + h) * w
	return u.ps[i : i+w]
}

// hide overwrites the weights of what record r's steps do not see.
func (u *attentionUnit) hide(c *call, r int, p []float32) {
	t := u.steps
	for i := range t {
		row := p[i*t : (i+1)*t]
		if u.causal {
			for j := i + 1; j < t; j++ {
				row[j] = hidden
			}
		}
		if u.in.mask {
			for j := range row {
				if !c.mask[r*t+j] {
					row[j] = hidden
				}
			}
		}
	}
}

func (u *attentionUnit) backward(c *call, dy []float32) []float32 {
	m, inner, t := c.n*u.steps, u.heads*u.size, u.steps
	u.merge.backward(c, m, u.os[:m*inner], dy)
	do := c.other(dy, m*inner)
	u.merge.inputGrad(c, m, do, inner, dy, u.width, false)
	q, k, v := u.qs[:m*inner], u.ks[:m*inner], u.vs[:m*inner]
	dq, dk, dv := u.dq[:m*inner], u.dk[:m*inner], u.dv[:m*inner]
	for r := range c.n {
		for h := range u.heads {
			at, p := r*t*inner+h*u.size, u.p(r, h)
			kernel.Gemm(true, false, t, u.size, t, p, t, do[at:], inner, false, dv[at:], inner, c.ws)
			kernel.Gemm(false, true, t, t, u.size, do[at:], inner, v[at:], inner, false, u.dp, t, c.ws)
			kernel.SoftmaxGrad(u.dp, u.dp, p, t)
			kernel.Gemm(false, false, t, u.size, t, u.dp, t, k[at:], inner, false, dq[at:], inner, c.ws)
			kernel.Gemm(true, false, t, u.size, t, u.dp, t, q[at:], inner, false, dk[at:], inner, c.ws)
		}
	}
	kernel.Scale(dq, u.scale, dq)
	u.v.backward(c, m, u.x, dv)
	u.k.backward(c, m, u.x, dk)
	u.q.backward(c, m, u.x, dq)
	if !u.dx {
		return nil
	}
	dx := c.other(do, m*u.width)
	u.q.inputGrad(c, m, dx, u.width, dq, inner, false)
	u.k.inputGrad(c, m, dx, u.width, dk, inner, true)
	u.v.inputGrad(c, m, dx, u.width, dv, inner, true)
	return dx
}
