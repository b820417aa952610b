package model

import (
	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// recurrent is what simple_rnn, lstm and gru share. Everything inside a unit is time-major, [time, record, ...], so
// that one step is one matrix: the input's products with the kernel are one product over all steps, as are the gradients
// of both kernels.
//
// A masked step leaves the state as it is, and its output is that state. Gradients go back to the first step of the
// record and no further: each record starts from the state 0. With truncate n they do not cross steps n, 2n, ... either
// (truncated back-propagation through time, Williams and Peng 1990): the state there counts as constant.
type recurrent struct {
	base
	steps, width, units int
	truncate            int // 0: never
	gates               int // blocks of units columns in the kernels
	input, state        linear
	bias                int // parameter; -1: none
	sequences           bool
	reverse             bool // reads from the last step to the first
	newCell             func(l *recurrent, p *plan) cell
}

// cell is one step of a kind of recurrent layer.
type cell interface {
	// forward makes u.h[t+1] from u.h[t] and the input's part of step t in u.a[t].
	forward(c *call, u *recurrentUnit, t int)
	// backward turns u.a[t] into the gradient of the input's part, and u.dh from the gradient of h[t+1] into that of h[t].
	backward(c *call, u *recurrentUnit, t int)
	// gradients sums the gradients of the state's kernel and of the bias over all steps.
	gradients(c *call, u *recurrentUnit)
	// hold makes masked record r of step t keep its state.
	hold(u *recurrentUnit, t, r int)
}

func buildSimpleRNN(b *builder, l *spec.Layer, in shape) (layer, error) {
	act, err := b.activation(orWord(l.Activation, "tanh"), l, int(l.Units))
	if err != nil {
		return nil, err
	}
	if act.keepsInput() || act.kind == "softmax" {
		return nil, b.errorf("simple_rnn has no activation %q: take tanh or relu", l.Activation)
	}
	return b.recurrent(l, in, 1, []int{int(l.Units)}, func(l *recurrent, p *plan) cell {
		return &simpleCell{act: act}
	})
}

func buildLSTM(b *builder, l *spec.Layer, in shape) (layer, error) {
	if err := b.fixedActivations(l); err != nil {
		return nil, err
	}
	return b.recurrent(l, in, 4, []int{4 * int(l.Units)}, newLSTMCell)
}

func buildGRU(b *builder, l *spec.Layer, in shape) (layer, error) {
	if err := b.fixedActivations(l); err != nil {
		return nil, err
	}
	return b.recurrent(l, in, 3, []int{2, 3 * int(l.Units)}, newGRUCell)
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// fixedActivations refuses what lstm and gru do not have.
func (b *builder) fixedActivations(l *spec.Layer) error {
	if a, r := orWord(l.Activation, "tanh"), orWord(l.RecurrentActivation, "sigmoid"); a != "tanh" || r != "sigmoid" {
		return b.errorf("%s has the activations tanh and sigmoid, not %s and %s", l.Type, a, r)
	}
	return nil
}

func (b *builder) recurrent(l *spec.Layer, in shape, gates int, bias []int,
	cell func(l *recurrent, p *plan) cell) (layer, error) {
	if in.ids || len(in.dims) != 2 {
		return nil, b.needs("[time, features]", in)
	}
	u, k := int(l.Units), in.dims[1]
	if u < 1 {
		return nil, b.errorf("units is %d, want at least 1", u)
	}
	out := in.with(u)
	if l.ReturnSequences {
		out = in.withLast(u)
	}
	d := &recurrent{base: b.base(in, out), steps: in.dims[0], width: k, units: u, truncate: l.Truncate, gates: gates, bias: -1,
		sequences: l.ReturnSequences, newCell: cell}
	init, err := b.initial(l.KernelInitializer, "glorot_uniform", k, gates*u)
	if err != nil {
		return nil, err
	}
	d.input = b.linear(b.param("kernel", init, l.KernelRegularizer, k, gates*u), k, gates*u, gates*u, 0, d.dx)
	if init, err = b.initial(l.RecurrentInit, "orthogonal", u, gates*u); err != nil {
		return nil, err
	}
	d.state = b.linear(b.param("recurrent_kernel", init, nil, u, gates*u), u, gates*u, gates*u, 0, true)
	if l.UseBias == nil || *l.UseBias {
		if init, err = b.initial(l.BiasInitializer, "zeros", bias...); err != nil {
			return nil, err
		}
		d.bias = b.param("bias", init, nil, bias...)
	}
	return d, nil
}

func (l *recurrent) newUnit(p *plan) unit { return l.unit(p) }

func (l *recurrent) unit(p *plan) *recurrentUnit {
	u := &recurrentUnit{recurrent: l, xs: p.floats(l.in.size()), as: p.floats(l.steps * l.gates * l.units),
		hs: p.floats((l.steps + 1) * l.units), dh: p.floats(l.units), next: p.floats(l.units)}
	if l.sequences {
		u.y = p.floats(l.o.size())
		u.dys = p.floats(l.o.size())
	}
	if l.dx {
		u.dxs = p.floats(l.in.size())
	}
	p.grad(max(l.in.size(), l.o.size()))
	u.cell = l.newCell(l, p)
	return u
}

type recurrentUnit struct {
	*recurrent
	cell cell
	n    int
	// Time-major. h[0] is the state before the first step, h[t+1] the one after step t.
	xs, as, hs []float32
	dh, next   []float32 // gradient of the state, and room for the one before
	y          []float32 // output with sequences
	dys, dxs   []float32
}

// a is the part of step t in as, h the state before step t.
func (u *recurrentUnit) a(t int) []float32 {
	w := u.n * u.gates * u.units
	return u.as[t*w : (t+1)*w]
}

func (u *recurrentUnit) h(t int) []float32 {
	w := u.n * u.units
	return u.hs[t*w : (t+1)*w]
}

// at is the place in time of step t.
func (u *recurrentUnit) at(t int) int {
	if u.reverse {
		return u.steps - 1 - t
	}
	return t
}

// masked reports whether step t of record r is padding.
func (u *recurrentUnit) masked(c *call, t, r int) bool {
	return u.in.mask && !c.mask[r*u.steps+u.at(t)]
}

func (u *recurrentUnit) forward(c *call, x []float32) []float32 {
	u.n = c.n
	rows := u.n * u.steps
	u.toTime(u.xs, x, u.width)
	as := u.as[:rows*u.input.n]
	u.input.apply(c, rows, as, u.input.n, u.xs, u.width, false)
	if u.bias >= 0 {
		kernel.AddBias(as, c.param(u.bias)[:u.input.n])
	}
	clear(u.h(0))
	for t := range u.steps {
		u.cell.forward(c, u, t)
		for r := range u.n {
			if u.masked(c, t, r) {
				u.cell.hold(u, t, r)
			}
		}
	}
	if !u.sequences {
		return u.h(u.steps)
	}
	y := u.y[:rows*u.units]
	u.fromTime(y, u.hs[u.n*u.units:], u.units)
	return y
}

func (u *recurrentUnit) backward(c *call, dy []float32) []float32 {
	rows, w := u.n*u.steps, u.n*u.units
	if u.sequences {
		u.toTime(u.dys, dy, u.units)
		clear(u.dh[:w])
	} else {
		copy(u.dh[:w], dy)
	}
	for t := u.steps - 1; t >= 0; t-- {
		if u.sequences {
			kernel.Add(u.dh[:w], u.dh[:w], u.dys[t*w:(t+1)*w])
		}
		u.cell.backward(c, u, t)
	}
	u.cell.gradients(c, u)
	c.finish(u.state.kernel)
	as := u.as[:rows*u.input.n]
	u.input.weightGrad(c, rows, u.xs, u.width, as, u.input.n, false)
	if !u.dx {
		return nil
	}
	c.finish(u.first)
	dx := c.other(dy, rows*u.width)
	u.input.inputGrad(c, rows, u.dxs, u.width, as, u.input.n, false)
	u.fromTime(dx, u.dxs, u.width)
	return dx
}

// before replaces u.dh by the gradient of the state before step t: what goes back through the state's kernel from da, on
// top of what is in u.next if onTop. A masked record hands its gradient on as it is.
func (u *recurrentUnit) before(c *call, t int, da []float32, onTop bool) {
	next, dh := u.next[:u.n*u.units], u.dh[:u.n*u.units]
	if u.constant(t) {
		clear(dh)
		return
	}
	u.state.inputGrad(c, u.n, next, u.units, da, u.state.n, onTop)
	for r := range u.n {
		if u.masked(c, t, r) {
			copy(next[r*u.units:(r+1)*u.units], dh[r*u.units:(r+1)*u.units])
		}
	}
	u.dh, u.next = u.next, u.dh
}

// constant reports whether the state before step t takes no gradient.
func (u *recurrentUnit) constant(t int) bool { return t == 0 || u.truncate > 0 && t%u.truncate == 0 }

// stateGrad sums the gradient of the state's kernel over the steps; that of the first is 0, as its state is.
func (u *recurrentUnit) stateGrad(c *call, das []float32) {
	g := c.paramGrad(u.state.kernel)
	if g == nil {
		return
	}
	rows, w := u.n*(u.steps-1), u.n*u.units
	if rows == 0 {
		clear(g)
		return
	}
	u.state.weightGrad(c, rows, u.hs[w:], u.units, das[u.n*u.state.n:], u.state.n, false)
}

// toTime copies x [record, time, w] to dst [time, record, w], in the order of reading.
func (u *recurrentUnit) toTime(dst, x []float32, w int) {
	for t := range u.steps {
		for r := range u.n {
			from := (r*u.steps + u.at(t)) * w
			copy(dst[(t*u.n+r)*w:], x[from:from+w])
		}
	}
}

// fromTime is the inverse of toTime.
func (u *recurrentUnit) fromTime(dst, x []float32, w int) {
	for t := range u.steps {
		for r := range u.n {
			from := (t*u.n + r) * w
			copy(dst[(r*u.steps+u.at(t))*w:], x[from:from+w])
		}
	}
}

// simpleCell: h' = f(a + h*R).
type simpleCell struct{ act activation }

func (s *simpleCell) forward(c *call, u *recurrentUnit, t int) {
	a := u.a(t)
	if t > 0 {
		u.state.apply(c, u.n, a, u.units, u.h(t), u.units, true)
	}
	s.act.apply(u.h(t+1), a)
}

func (s *simpleCell) hold(u *recurrentUnit, t, r int) { holdState(u.hs, u, t, r) }

// holdState copies record r's part of a state before step t to after it.
func holdState(states []float32, u *recurrentUnit, t, r int) {
	w := u.units
	copy(states[((t+1)*u.n+r)*w:((t+1)*u.n+r+1)*w], states[(t*u.n+r)*w:(t*u.n+r+1)*w])
}

func (s *simpleCell) backward(c *call, u *recurrentUnit, t int) {
	a := u.a(t)
	copy(a, u.dh[:len(a)])
	s.act.grad(a, u.h(t+1), nil)
	u.clearMasked(c, t, a)
	u.before(c, t, a, false)
}

// clearMasked zeroes the rows of masked records in a gradient of step t.
func (u *recurrentUnit) clearMasked(c *call, t int, da []float32) {
	w := len(da) / u.n
	for r := range u.n {
		if u.masked(c, t, r) {
			clear(da[r*w : (r+1)*w])
		}
	}
}

func (s *simpleCell) gradients(c *call, u *recurrentUnit) {
	as := u.as[:u.n*u.steps*u.units]
	if u.bias >= 0 {
		biasGrad(c, u.bias, as)
		c.finish(u.bias)
	}
	u.stateGrad(c, as)
}
