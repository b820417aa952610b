package model

import (
	"slices"

	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// embedding turns token ids into rows of a table [input_dim, output_dim]. With mask_zero, id 0 is padding: the steps
// where it stands are masked for the layers behind.
type embedding struct {
	base
	table, width int
	masks        bool
}

func buildEmbedding(b *builder, l *spec.Layer, in shape) (layer, error) {
	if !in.ids {
		return nil, b.needs("[time] of token ids", in)
	}
	rows := b.sizeOf(l.InputDim)
	if rows < 1 || l.OutputDim < 1 {
		return nil, b.errorf("input_dim %d and output_dim %d must be at least 1", rows, l.OutputDim)
	}
	if rows < b.data.Vocab {
		return nil, b.errorf("input_dim is %d, but its input of shape %v has a vocabulary of %d", rows, in.dims, b.data.Vocab)
	}
	init, err := b.initial(l.KernelInitializer, "uniform", rows, l.OutputDim)
	if err != nil {
		return nil, err
	}
	out := in.with(append(slices.Clone(in.dims), l.OutputDim)...)
	out.mask = l.MaskZero && len(in.dims) == 1
	e := &embedding{base: b.base(in, out), width: l.OutputDim, masks: out.mask}
	e.table = b.param("table", init, nil, rows, l.OutputDim)
	b.net.vocab = rows
	return e, nil
}

func (l *embedding) newUnit(p *plan) unit {
	if l.masks {
		p.mask = make([]bool, p.rows*l.in.size())
	}
	return &embeddingUnit{embedding: l, y: p.floats(l.o.size())}
}

type embeddingUnit struct {
	*embedding
	y []float32
}

func (u *embeddingUnit) forward(c *call, _ []float32) []float32 {
	y := u.y[:c.n*u.o.size()]
	kernel.GatherRows(y, c.param(u.table), c.ids, u.width)
	if u.masks {
		for i, id := range c.ids {
			c.mask[i] = id != 0
		}
	}
	return y
}

func (u *embeddingUnit) backward(c *call, dy []float32) []float32 {
	if g := c.paramGrad(u.table); g != nil {
		clear(g)
		kernel.ScatterAddRows(g, dy, c.ids, u.width)
	}
	return nil
}
