package model

import (
	"slices"
	"strings"

	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// times runs f with the plan of a layer that sees steps rows for each record.
func (p *plan) times(steps int, f func(p *plan)) {
	q := *p
	q.rows *= steps
	f(&q)
	p.grads, p.held = q.grads, q.held
}

// innerName is the name of the layer inside one named by b.path.
func (b *builder) innerName(l *spec.Layer) string {
	name := strings.TrimPrefix(l.Name, strings.Join(b.path, "/")+"/")
	if name == "" {
		return l.Type
	}
	return name
}

// timeDistributed applies a layer to every step.
type timeDistributed struct {
	base
	inner layer
	steps int
}

func buildTimeDistributed(b *builder, l *spec.Layer, in shape) (layer, error) {
	if l.Layer == nil {
		return nil, b.errorf("it has no layer inside")
	}
	if in.ids || len(in.dims) < 2 {
		return nil, b.needs("[time, ...]", in)
	}
	t := &timeDistributed{base: b.base(in, in), steps: in.dims[0]}
	var err error
	if t.inner, err = b.layer(l.Layer, b.innerName(l.Layer), in.with(in.dims[1:]...)); err != nil {
		return nil, err
	}
	t.o = in.with(append([]int{t.steps}, t.inner.out().dims...)...)
	t.o.mask = in.mask
	return t, nil
}

func (l *timeDistributed) newUnit(p *plan) unit {
	u := &timeDistributedUnit{timeDistributed: l}
	p.times(l.steps, func(p *plan) { u.inner = l.inner.newUnit(p) })
	return u
}

type timeDistributedUnit struct {
	*timeDistributed
	inner unit
}

func (u *timeDistributedUnit) forward(c *call, x []float32) []float32 {
	n := c.n
	c.n = n * u.steps
	y := u.inner.forward(c, x)
	c.n = n
	return y
}

func (u *timeDistributedUnit) backward(c *call, dy []float32) []float32 {
	n := c.n
	c.n = n * u.steps
	dx := u.inner.backward(c, dy)
	c.n = n
	return dx
}

// residual is x + f(x), f being a stack (He et al. 2016).
type residual struct {
	base
	f *stack
}

func buildResidual(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids {
		return nil, b.needs("[...] of floats", in)
	}
	r := &residual{base: b.base(in, in)}
	var err error
	if r.f, err = b.stack(l.Layers, in); err != nil {
		return nil, err
	}
	if !slices.Equal(r.f.o.dims, in.dims) {
		return nil, b.errorf("its layers turn shape %v into %v, which cannot be added", in.dims, r.f.o.dims)
	}
	return r, nil
}

func (l *residual) newUnit(p *plan) unit {
	p.grad(l.in.size())
	u := &residualUnit{residual: l, f: l.f.newUnit(p), y: p.floats(l.in.size())}
	if l.dx {
		u.dy = p.floats(l.in.size())
	}
	return u
}

type residualUnit struct {
	*residual
	f     unit
	y, dy []float32
}

func (u *residualUnit) forward(c *call, x []float32) []float32 {
	y := u.y[:len(x)]
	kernel.Add(y, x, u.f.forward(c, x))
	return y
}

func (u *residualUnit) backward(c *call, dy []float32) []float32 {
	if !u.dx {
		u.f.backward(c, dy)
		return nil
	}
	keep := u.dy[:len(dy)]
	copy(keep, dy)
	dx := u.f.backward(c, dy)
	kernel.Add(dx, dx, keep)
	return dx
}
