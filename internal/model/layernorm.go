package model

import (
	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// layerNorm is layer normalisation (Ba, Kiros and Hinton 2016) over the last axis, with biased variance.
type layerNorm struct {
	base
	gamma, beta int // parameters
	epsilon     float64
	rows, width int // of one record
}

func buildLayerNorm(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids || len(in.dims) == 0 {
		return nil, b.needs("[..., features]", in)
	}
	return b.layerNorm(in, orDefault(l.Epsilon, defaultEpsilon)), nil
}

func (b *builder) layerNorm(in shape, epsilon float64) *layerNorm {
	n := in.last()
	d := &layerNorm{base: b.base(in, in), epsilon: epsilon, rows: in.size() / n, width: n}
	d.gamma = b.param("gamma", initializer{kind: "ones"}, nil, n)
	d.beta = b.param("beta", initializer{kind: "zeros"}, nil, n)
	return d
}

func (l *layerNorm) newUnit(p *plan) unit {
	p.grad(l.in.size())
	return &layerNormUnit{layerNorm: l, y: p.floats(l.in.size()), mean: p.floats(l.rows), rstd: p.floats(l.rows),
		spare: make([]float32, 2*l.width)}
}

type layerNormUnit struct {
	*layerNorm
	x, y, mean, rstd []float32
	spare            []float32 // takes gradients that nobody wants
}

func (u *layerNormUnit) forward(c *call, x []float32) []float32 {
	u.x = x
	y := u.y[:len(x)]
	kernel.LayerNorm(y, u.mean, u.rstd, x, c.param(u.gamma), c.param(u.beta), u.epsilon)
	return y
}

func (u *layerNormUnit) backward(c *call, dy []float32) []float32 {
	dgamma, dbeta := c.paramGrad(u.gamma), c.paramGrad(u.beta)
	if dgamma == nil {
		dgamma, dbeta = u.spare[:u.width], u.spare[u.width:]
	}
	clear(dgamma)
	clear(dbeta)
	dx := c.other(dy, len(dy))
	kernel.LayerNormGrad(dx, dgamma, dbeta, dy, u.x, u.mean, u.rstd, c.param(u.gamma))
	if !u.dx {
		return nil
	}
	return dx
}
