package model

import (
	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// bidirectional reads a sequence in both directions (Schuster and Paliwal 1997) and merges what comes out: side by side
// (concat), added (sum), their mean (ave) or multiplied (mul). Outputs of the same step stand together.
type bidirectional struct {
	base
	ahead, back *recurrent
	merge       string
}

func buildBidirectional(b *builder, l *spec.Layer, in shape) (layer, error) {
	d := &bidirectional{merge: orWord(l.MergeMode, "concat")}
	switch {
	case l.Layer == nil:
		return nil, b.errorf("it has no layer inside")
	case d.merge != "concat" && d.merge != "sum" && d.merge != "ave" && d.merge != "mul":
		return nil, b.errorf("unknown merge_mode %q", d.merge)
	}
	d.base = b.base(in, in)
	for _, r := range []struct {
		to     **recurrent
		prefix string
	}{{&d.ahead, "forward_"}, {&d.back, "backward_"}} {
		b.prefix = r.prefix
		inner, err := b.layer(l.Layer, b.innerName(l.Layer), in)
		b.prefix = ""
		if err != nil {
			return nil, err
		}
		rec, ok := inner.(*recurrent)
		if !ok {
			return nil, b.errorf("it needs a simple_rnn, lstm or gru inside, not %s", l.Layer.Type)
		}
		rec.dx = d.dx // also of the second, though the first is before it in the list of parameters
		*r.to = rec
	}
	d.back.reverse = true
	d.o = d.ahead.o
	if d.merge == "concat" {
		d.o = d.o.withLast(2 * d.ahead.units)
	}
	return d, nil
}

func (l *bidirectional) newUnit(p *plan) unit {
	u := &bidirectionalUnit{bidirectional: l, ahead: l.ahead.unit(p), back: l.back.unit(p), y: p.floats(l.o.size()),
		da: p.floats(l.ahead.o.size()), db: p.floats(l.ahead.o.size())}
	if l.dx {
		u.dx2 = p.floats(l.in.size())
	}
	p.grad(max(l.in.size(), l.o.size()))
	return u
}

type bidirectionalUnit struct {
	*bidirectional
	ahead, back *recurrentUnit
	y, ya, yb   []float32
	da, db      []float32 // gradients of ya and yb
	dx2         []float32
}

func (u *bidirectionalUnit) forward(c *call, x []float32) []float32 {
	a, b := u.ahead.forward(c, x), u.back.forward(c, x)
	u.ya, u.yb = a, b
	if u.merge == "concat" {
		w := u.bidirectional.ahead.units
		y := u.y[:2*len(a)]
		for r := range len(a) / w {
			copy(y[2*r*w:], a[r*w:(r+1)*w])
			copy(y[(2*r+1)*w:], b[r*w:(r+1)*w])
		}
		return y
	}
	y := u.y[:len(a)]
	switch u.merge {
	case "mul":
		kernel.Mul(y, a, b)
	default:
		kernel.Add(y, a, b)
		if u.merge == "ave" {
			kernel.Scale(y, 0.5, y)
		}
	}
	return y
}

func (u *bidirectionalUnit) backward(c *call, dy []float32) []float32 {
	da, db := u.da[:len(u.ya)], u.db[:len(u.yb)]
	u.split(da, db, dy)
	dx := u.back.backward(c, db)
	c.finish(u.back.first)
	if !u.dx {
		u.ahead.backward(c, da)
		return nil
	}
	keep := u.dx2[:len(dx)]
	copy(keep, dx)
	dx = u.ahead.backward(c, da)
	kernel.Add(dx, dx, keep)
	return dx
}

// split undoes the merge for gradients.
func (u *bidirectionalUnit) split(da, db, dy []float32) {
	switch u.merge {
	case "concat":
		w := u.bidirectional.ahead.units
		for r := range len(da) / w {
			copy(da[r*w:(r+1)*w], dy[2*r*w:])
			copy(db[r*w:(r+1)*w], dy[(2*r+1)*w:])
		}
	case "mul":
		kernel.Mul(da, dy, u.yb)
		kernel.Mul(db, dy, u.ya)
	case "ave":
		kernel.Scale(da, 0.5, dy)
		copy(db, da)
	default:
		copy(da, dy)
		copy(db, dy)
	}
}
