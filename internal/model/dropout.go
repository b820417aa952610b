package model

import (
	"math"

	"lockstep/internal/kernel"
	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// dropout sets each value to zero with probability rate and scales the others by 1/(1-rate), in training only.
// Element i of a micro-batch is kept if word i of the stream rng.New(seed, rng.Dropout, step, micro-batch, index) is at
// least rate*2^32; index counts the network's dropout layers.
type dropout struct {
	base
	index     uint64
	threshold uint32
	scale     float32
}

func buildDropout(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids {
		return nil, b.needs("[...] of floats", in)
	}
	if l.Rate < 0 || l.Rate >= 1 {
		return nil, b.errorf("rate is %v, want at least 0 and below 1", l.Rate)
	}
	d := &dropout{base: b.base(in, in), index: uint64(b.dropouts), scale: float32(1 / (1 - l.Rate)),
		threshold: uint32(math.Ldexp(l.Rate, 32))}
	b.dropouts++
	return d, nil
}

func (d *dropout) newUnit(p *plan) unit {
	return &dropoutUnit{dropout: d, y: p.floats(d.o.size()), keep: p.floats(d.o.size())}
}

type dropoutUnit struct {
	*dropout
	y, keep []float32 // keep is 0 or scale
}

func (u *dropoutUnit) forward(c *call, x []float32) []float32 {
	if !c.train || u.threshold == 0 {
		return x
	}
	s := rng.New(c.key.Seed, rng.Dropout, c.key.Step, uint64(c.key.Micro), u.index)
	keep, y := u.keep[:len(x)], u.y[:len(x)]
	for i := range keep {
		keep[i] = 0
		if s.Uint32() >= u.threshold {
			keep[i] = u.scale
		}
	}
	kernel.Mul(y, x, keep)
	return y
}

func (u *dropoutUnit) backward(_ *call, dy []float32) []float32 {
	if !u.dx {
		return nil
	}
	if u.threshold != 0 {
		kernel.Mul(dy, dy, u.keep[:len(dy)])
	}
	return dy
}
