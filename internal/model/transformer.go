package model

import (
	"cmp"
	"strings"

	"lockstep/internal/spec"
)

// defaultBlockEpsilon is PyTorch's.
const defaultBlockEpsilon = 1e-5

// buildTransformer builds a pre-norm transformer block as two residual branches:
//
//	x1 = x + dropout(attention(layer_norm1(x)))
//	y = x1 + dropout(mlp2(activation(mlp1(layer_norm2(x1)))))
func buildTransformer(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids || len(in.dims) != 2 {
		return nil, b.needs("[time, features]", in)
	}
	width := in.dims[1]
	block := &stack{base: b.base(in, in)}
	epsilon := orDefault(l.Epsilon, defaultBlockEpsilon)
	norm := func(b *builder, _ *spec.Layer, in shape) (layer, error) { return b.layerNorm(in, epsilon), nil }
	mlp1, mlp2 := *l, *l
	mlp1.Activation = cmp.Or(l.Activation, "gelu")
	mlp2.Activation, mlp2.Units = "linear", spec.Size(width)
	for i, branch := range [][]step{
		{{"ln1_", norm, l}, {"attn_", buildAttention, l}, {"", buildDropout, l}},
		{{"ln2_", norm, l}, {"mlp1_", buildDense, &mlp1}, {"mlp2_", buildDense, &mlp2}, {"", buildDropout, l}},
	} {
		r, err := b.branch(branch, in)
		if err != nil {
			return nil, err
		}
		block.add(b, r, [...]string{"attention", "mlp"}[i], "", r.first)
	}
	return block, nil
}

// step is one layer of a branch; its parameters' names start with prefix.
type step struct {
	prefix string
	build  buildFunc
	spec   *spec.Layer
}

// branch builds x + steps(x), all under the name of the layer being built.
func (b *builder) branch(steps []step, in shape) (*residual, error) {
	r := &residual{base: b.base(in, in), f: &stack{base: b.base(in, in)}}
	for _, s := range steps {
		b.prefix = s.prefix
		first := len(b.net.params)
		l, err := s.build(b, s.spec, r.f.o)
		b.prefix = ""
		if err != nil {
			return nil, err
		}
		r.f.add(b, l, cmp.Or(strings.TrimSuffix(s.prefix, "_"), "dropout"), "", first)
	}
	return r, nil
}
