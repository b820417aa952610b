package model

import (
	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// pool is the largest or mean value of each window and channel.
type pool struct {
	base
	window kernel.Window
	mean   bool
}

// buildPool is a builder of max_pool2d or average_pool2d.
func buildPool(mean bool) buildFunc {
	return func(b *builder, l *spec.Layer, in shape) (layer, error) {
		size := pair(l.PoolSize, 2)
		stride := l.Strides
		if stride.IsZero() {
			stride = size
		}
		if err := b.images(in, l.Padding, size, stride); err != nil {
			return nil, err
		}
		if err := b.fits(in, size, [2]int{1, 1}, l.Padding); err != nil {
			return nil, err
		}
		w := kernel.NewWindow([2]int{in.dims[0], in.dims[1]}, size, stride, [2]int{1, 1}, l.Padding == "same")
		return &pool{base: b.base(in, in.with(w.OutH, w.OutW, in.last())), window: w, mean: mean}, nil
	}
}

// buildGlobalPool is a builder of a pooling over the whole image, to [channels].
func buildGlobalPool(mean bool) buildFunc {
	return func(b *builder, _ *spec.Layer, in shape) (layer, error) {
		if err := b.images(in, ""); err != nil {
			return nil, err
		}
		whole := [2]int{in.dims[0], in.dims[1]}
		w := kernel.NewWindow(whole, whole, [2]int{1, 1}, [2]int{1, 1}, false)
		return &pool{base: b.base(in, in.with(in.last())), window: w, mean: mean}, nil
	}
}

func (l *pool) newUnit(p *plan) unit {
	u := &poolUnit{pool: l, y: p.floats(l.o.size())}
	if !l.mean {
		u.arg = make([]int32, len(u.y))
	}
	p.grad(max(l.in.size(), l.o.size()))
	return u
}

type poolUnit struct {
	*pool
	y   []float32
	arg []int32 // where each maximum came from
}

func (u *poolUnit) forward(c *call, x []float32) []float32 {
	y := u.y[:c.n*u.o.size()]
	if u.mean {
		kernel.AvgPool(y, x, c.n, u.in.last(), &u.window)
	} else {
		kernel.MaxPool(y, u.arg, x, c.n, u.in.last(), &u.window)
	}
	return y
}

func (u *poolUnit) backward(c *call, dy []float32) []float32 {
	if !u.dx {
		return nil
	}
	dx := c.other(dy, c.n*u.in.size())
	if u.mean {
		kernel.AvgPoolGrad(dx, dy, c.n, u.in.last(), &u.window)
	} else {
		kernel.MaxPoolGrad(dx, dy, u.arg)
	}
	return dx
}
