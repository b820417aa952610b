package model

import (
	"slices"

	"lockstep/internal/spec"
)

// reshape is another view of the same numbers, in row-major order.
type reshape struct{ base }

func buildFlatten(b *builder, _ *spec.Layer, in shape) (layer, error) {
	if in.ids {
		return nil, b.needs("[...] of floats", in)
	}
	return &reshape{b.base(in, in.with(in.size()))}, nil
}

func buildReshape(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids {
		return nil, b.needs("[...] of floats", in)
	}
	dims, known, free := slices.Clone(l.TargetShape), 1, -1
	for i, d := range dims {
		switch {
		case d == -1 && free < 0:
			free = i
		case d < 1:
			return nil, b.errorf("target_shape %v: want sizes of at least 1 and at most one -1", l.TargetShape)
		default:
			known *= d
		}
	}
	if free >= 0 && in.size()%known == 0 {
		dims[free] = in.size() / known
	}
	if free >= 0 && dims[free] < 1 || volume(dims) != in.size() {
		return nil, b.errorf("its input of shape %v has %d values, which do not fill target_shape %v", in.dims, in.size(), l.TargetShape)
	}
	return &reshape{b.base(in, in.with(dims...))}, nil
}

func (l *reshape) newUnit(*plan) unit { return l }

func (l *reshape) forward(_ *call, x []float32) []float32 { return x }

func (l *reshape) backward(_ *call, dy []float32) []float32 {
	if !l.dx {
		return nil
	}
	return dy
}
