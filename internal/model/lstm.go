package model

import "lockstep/internal/kernel"

// lstmCell (Hochreiter and Schmidhuber 1997), with the blocks i, f, g, o of a + h*R:
//
//	c' = sigmoid(f)*c + sigmoid(i)*tanh(g),  h' = sigmoid(o)*tanh(c')
type lstmCell struct {
	cs    []float32 // the cell's state, as u.hs
	tanhs []float32 // tanh(c'), [time, record, units]
	dc    []float32 // gradient of the cell's state
	tmp   []float32 // two rows
}

func newLSTMCell(l *recurrent, p *plan) cell {
	return &lstmCell{cs: p.floats((l.steps + 1) * l.units), tanhs: p.floats(l.steps * l.units),
		dc: p.floats(l.units), tmp: make([]float32, 2*l.units)}
}

func (s *lstmCell) forward(c *call, u *recurrentUnit, t int) {
	a, w := u.a(t), u.units
	if t > 0 {
		u.state.apply(c, u.n, a, 4*w, u.h(t), w, true)
	} else {
		clear(s.cs[:u.n*w])
	}
	for r := range u.n {
		row := a[4*w*r : 4*w*(r+1)]
		kernel.Sigmoid(row[:2*w], row[:2*w])
		kernel.Tanh(row[2*w:3*w], row[2*w:3*w])
		kernel.Sigmoid(row[3*w:], row[3*w:])
		next := s.c(u, t+1, r)
		kernel.Mul(next, row[w:2*w], s.c(u, t, r))
		kernel.MulAdd(next, row[:w], row[2*w:3*w])
	}
	n := u.n * w
	tanh := s.tanhs[t*n : (t+1)*n]
	kernel.Tanh(tanh, s.cs[(t+1)*n:(t+2)*n])
	h := u.h(t + 1)
	for r := range u.n {
		kernel.Mul(h[r*w:(r+1)*w], a[4*w*r+3*w:4*w*(r+1)], tanh[r*w:(r+1)*w])
	}
}

// c is the cell's state of record r before step t.
func (s *lstmCell) c(u *recurrentUnit, t, r int) []float32 {
	i := (t*u.n + r) * u.units
	return s.cs[i : i+u.units]
}

func (s *lstmCell) hold(u *recurrentUnit, t, r int) {
	holdState(u.hs, u, t, r)
	holdState(s.cs, u, t, r)
}

func (s *lstmCell) backward(c *call, u *recurrentUnit, t int) {
	a, w := u.a(t), u.units
	if t == u.steps-1 || u.constant(t+1) {
		clear(s.dc[:u.n*w])
	}
	for r := range u.n {
		row := a[4*w*r : 4*w*(r+1)]
		if u.masked(c, t, r) {
			clear(row)
			continue
		}
		at := (t*u.n + r) * w
		s.backwardRow(row, u.dh[r*w:(r+1)*w], s.dc[r*w:(r+1)*w], s.tanhs[at:at+w], s.c(u, t, r))
	}
	u.before(c, t, a, false)
}

// backwardRow turns one record's gates i, f, g, o into their gradients, and dc from the gradient of c' into that of c.
func (s *lstmCell) backwardRow(row, dh, dc, tanh, prev []float32) {
	w := len(dh)
	i, f, g, o := row[:w], row[w:2*w], row[2*w:3*w], row[3*w:]
	x, y := s.tmp[:w], s.tmp[w:]
	kernel.Mul(x, dh, o) // dc += dh * o * (1 - tanh^2)
	kernel.TanhGrad(x, x, tanh)
	kernel.Add(dc, dc, x)
	kernel.Mul(x, dh, tanh)
	kernel.SigmoidGrad(o, x, o)
	kernel.Mul(x, dc, g)
	kernel.Mul(y, dc, i)
	kernel.SigmoidGrad(i, x, i)
	kernel.TanhGrad(g, y, g)
	kernel.Mul(x, dc, prev)
	kernel.Mul(dc, dc, f)
	kernel.SigmoidGrad(f, x, f)
}

func (s *lstmCell) gradients(c *call, u *recurrentUnit) {
	as := u.as[:u.n*u.steps*4*u.units]
	if u.bias >= 0 {
		biasGrad(c, u.bias, as)
		c.finish(u.bias)
	}
	u.stateGrad(c, as)
}
