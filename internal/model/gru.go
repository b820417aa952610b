package model

import "lockstep/internal/kernel"

// gruCell (Cho et al. 2014, with the reset gate after the product), with the blocks z, r, n of a and of b = h*R + bias:
//
//	z = sigmoid(az+bz),  r = sigmoid(ar+br),  n = tanh(an + r*bn),  h' = n + z*(h - n)
type gruCell struct {
	bs  []float32 // [time, record, 3 units]: of b, block n is kept; backward puts the gradient of b here
	tmp []float32 // two rows
}

func newGRUCell(l *recurrent, p *plan) cell {
	return &gruCell{bs: p.floats(l.steps * 3 * l.units), tmp: make([]float32, 2*l.units)}
}

// b is the part of step t in bs.
func (s *gruCell) b(u *recurrentUnit, t int) []float32 {
	w := u.n * 3 * u.units
	return s.bs[t*w : (t+1)*w]
}

func (s *gruCell) forward(c *call, u *recurrentUnit, t int) {
	a, b, w := u.a(t), s.b(u, t), u.units
	if t > 0 {
		u.state.apply(c, u.n, b, 3*w, u.h(t), w, false)
	} else {
		clear(b)
	}
	if u.bias >= 0 {
		kernel.AddBias(b, c.param(u.bias)[3*w:])
	}
	for r := range u.n {
		x, y := a[3*w*r:3*w*(r+1)], b[3*w*r:3*w*(r+1)]
		kernel.Add(x[:2*w], x[:2*w], y[:2*w])
		kernel.Sigmoid(x[:2*w], x[:2*w])
		n := x[2*w:]
		kernel.MulAdd(n, x[w:2*w], y[2*w:])
		kernel.Tanh(n, n)
		next := u.h(t + 1)[r*w : (r+1)*w]
		copy(next, n)
		kernel.Sub(s.tmp[:w], u.h(t)[r*w:(r+1)*w], n)
		kernel.MulAdd(next, x[:w], s.tmp[:w])
	}
}

func (s *gruCell) hold(u *recurrentUnit, t, r int) { holdState(u.hs, u, t, r) }

func (s *gruCell) backward(c *call, u *recurrentUnit, t int) {
	a, b, w := u.a(t), s.b(u, t), u.units
	for r := range u.n {
		x, y := a[3*w*r:3*w*(r+1)], b[3*w*r:3*w*(r+1)]
		if u.masked(c, t, r) {
			clear(x)
			clear(y)
			continue
		}
		s.backwardRow(x, y, u.dh[r*w:(r+1)*w], u.h(t)[r*w:(r+1)*w], u.next[r*w:(r+1)*w])
	}
	u.before(c, t, b, true)
}

// backwardRow turns one record's gates z, r, n in a, and block n of b, into the gradients of a and b. rest becomes
// dh*z, the part of the state's gradient that does not go through the kernel.
func (s *gruCell) backwardRow(a, b, dh, prev, rest []float32) {
	w := len(dh)
	z, r, n := a[:w], a[w:2*w], a[2*w:]
	x, y := s.tmp[:w], s.tmp[w:]
	kernel.Mul(rest, dh, z)
	kernel.Sub(x, prev, n) // dz = dh * (h - n)
	kernel.Mul(x, dh, x)
	kernel.SigmoidGrad(z, x, z)
	kernel.Sub(x, dh, rest) // dn = dh * (1 - z)
	kernel.TanhGrad(n, x, n)
	kernel.Mul(x, n, b[2*w:]) // dr = dn * bn, dbn = dn * r
	kernel.Mul(y, n, r)
	kernel.SigmoidGrad(r, x, r)
	copy(b, a[:2*w])
	copy(b[2*w:], y)
}

func (s *gruCell) gradients(c *call, u *recurrentUnit) {
	w := 3 * u.units
	as, bs := u.as[:u.n*u.steps*w], s.bs[:u.n*u.steps*w]
	if u.bias >= 0 {
		if g := c.paramGrad(u.bias); g != nil {
			kernel.SumRows(g[:w], as, false)
			kernel.SumRows(g[w:], bs, false)
		}
		c.finish(u.bias)
	}
	u.stateGrad(c, bs)
}
