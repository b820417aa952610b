package model

import (
	"lockstep/internal/kernel"
	"lockstep/internal/kernel/f64"
	"lockstep/internal/spec"
)

// positionalEncoding is the table [length, width] of Vaswani et al. (2017), interleaved:
//
//	y[p,2i] = sin(p / 10000^(2i/width)),  y[p,2i+1] = cos(p / 10000^(2i/width))
func positionalEncoding(length, width int) []float32 {
	y := make([]float32, length*width)
	for i := range width {
		f := f64.Pow(10000, float64(i/2*2)/float64(width))
		for p := range length {
			if angle := float64(p) / f; i%2 == 0 {
				y[p*width+i] = float32(f64.Sin(angle))
			} else {
				y[p*width+i] = float32(f64.Cos(angle))
			}
		}
	}
	return y
}

// position adds a row of a table to every step: sines and cosines, or learned values.
type position struct {
	base
	sines []float32 // [time, features]; nil if learned
	table int       // parameter, if learned
}

func buildPosition(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids || len(in.dims) != 2 {
		return nil, b.needs("[time, features]", in)
	}
	p := &position{base: b.base(in, in)}
	if !l.Learned {
		p.sines = positionalEncoding(in.dims[0], in.dims[1])
		return p, nil
	}
	init, err := b.initial(l.KernelInitializer, "uniform", in.dims...)
	p.table = b.param("table", init, nil, in.dims...)
	return p, err
}

func (l *position) newUnit(p *plan) unit { return &positionUnit{position: l, y: p.floats(l.o.size())} }

type positionUnit struct {
	*position
	y []float32
}

func (u *positionUnit) forward(c *call, x []float32) []float32 {
	table := u.sines
	if table == nil {
		table = c.param(u.table)
	}
	y := u.y[:len(x)]
	copy(y, x)
	kernel.AddBias(y, table)
	return y
}

func (u *positionUnit) backward(c *call, dy []float32) []float32 {
	if u.sines == nil {
		biasGrad(c, u.table, dy)
	}
	if !u.dx {
		return nil
	}
	return dy
}
