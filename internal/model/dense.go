package model

import (
	"lockstep/internal/spec"
)

// dense is y = f(x*kernel + bias) over the last axis (Keras' Dense).
type dense struct {
	base
	linear
	bias int // the parameter; -1: none
	act  activation
	rows int // rows of a record: everything before the last axis
}

func buildDense(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids || len(in.dims) == 0 {
		return nil, b.needs("[..., features]", in)
	}
	units := b.sizeOf(l.Units)
	if units < 1 {
		return nil, b.errorf("units is %d, want at least 1", units)
	}
	k := in.last()
	d := &dense{base: b.base(in, in.withLast(units)), bias: -1, rows: in.size() / k}
	init, err := b.initial(l.KernelInitializer, "glorot_uniform", k, units)
	if err != nil {
		return nil, err
	}
	i := b.param("kernel", init, l.KernelRegularizer, k, units)
	d.linear = b.linear(i, k, units, units, 0, d.dx)
	if d.bias, err = b.bias(l, units); err != nil {
		return nil, err
	}
	d.act, err = b.activation(l.Activation, l, units)
	return d, err
}

// sizeOf resolves vocab_size.
func (b *builder) sizeOf(s spec.Size) int {
	if s == spec.VocabSize {
		return b.data.Vocab
	}
	return int(s)
}

// bias adds a layer's bias, of n values, and returns the parameter, or -1 if the layer has none.
func (b *builder) bias(l *spec.Layer, n int) (int, error) {
	if l.UseBias != nil && !*l.UseBias {
		return -1, nil
	}
	init, err := b.initial(l.BiasInitializer, "zeros", n)
	if err != nil {
		return -1, err
	}
	return b.param("bias", init, nil, n), nil
}

func (d *dense) newUnit(p *plan) unit {
	u := &denseUnit{dense: d, y: p.floats(d.o.size())}
	u.z = u.y
	if d.act.keepsInput() {
		u.z = p.floats(d.o.size())
	}
	p.grad(max(d.in.size(), d.o.size()))
	return u
}

type denseUnit struct {
	*dense
	y, z, x []float32 // z is y, if the activation needs no more
}

func (u *denseUnit) forward(c *call, x []float32) []float32 {
	u.x = x
	m := c.n * u.rows
	y, z := u.y[:m*u.n], u.z[:m*u.n]
	u.apply(c, m, z, u.n, x, u.k, false)
	var bias []float32
	if u.bias >= 0 {
		bias = c.param(u.bias)
	}
	u.act.biased(y, z, bias)
	return y
}

func (u *denseUnit) backward(c *call, dy []float32) []float32 {
	m := c.n * u.rows
	u.act.grad(dy, u.y[:len(dy)], u.z[:len(dy)])
	if u.bias >= 0 {
		biasGrad(c, u.bias, dy)
		c.finish(u.bias)
	}
	u.weightGrad(c, m, u.x, u.k, dy, u.n, false)
	if !u.dx {
		return nil
	}
	c.finish(u.first)
	dx := c.other(dy, m*u.k)
	u.inputGrad(c, m, dx, u.k, dy, u.n, false)
	return dx
}
