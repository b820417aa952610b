package model

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"lockstep/internal/spec"
)

// layer is a layer with its shapes known. It is immutable.
type layer interface {
	out() shape           // of one record
	newUnit(p *plan) unit // with buffers for p's number of records
}

// unit is a layer in one Pass.
type unit interface {
	// forward returns the output for the c.n records in x, which it leaves alone. The result stays as it is until
	// the next forward.
	forward(c *call, x []float32) []float32
	// backward takes the gradient of forward's last output, which it may overwrite, sums the gradients of the layer's
	// parameters into c.grad and returns the gradient of its input: dy itself, c.other(dy), or nil if nothing before
	// the layer learns.
	backward(c *call, dy []float32) []float32
}

// base is what all layers have.
type base struct {
	in, o shape
	first int  // index of the layer's first parameter
	dx    bool // something before it learns
}

func (l *base) out() shape { return l.o }

// buildFunc builds a layer of one type for an input.
type buildFunc func(b *builder, l *spec.Layer, in shape) (layer, error)

// builderOf finds the builder of a layer type.
func builderOf(kind string) (buildFunc, bool) {
	switch kind {
	case "dense", "linear":
		return buildDense, true
	case "conv2d":
		return buildConv, true
	case "conv2d_transpose":
		return buildConvTransposed, true
	case "max_pool2d":
		return buildPool(false), true
	case "average_pool2d":
		return buildPool(true), true
	case "global_max_pool2d":
		return buildGlobalPool(false), true
	case "global_average_pool2d":
		return buildGlobalPool(true), true
	case "flatten":
		return buildFlatten, true
	case "reshape":
		return buildReshape, true
	case "batch_norm":
		return buildBatchNorm, true
	case "layer_norm":
		return buildLayerNorm, true
	case "embedding":
		return buildEmbedding, true
	case "simple_rnn":
		return buildSimpleRNN, true
	case "lstm":
		return buildLSTM, true
	case "gru":
		return buildGRU, true
	case "bidirectional":
		return buildBidirectional, true
	case "time_distributed":
		return buildTimeDistributed, true
	case "residual":
		return buildResidual, true
	case "multi_head_attention":
		return buildAttention, true
	case "positional_embedding":
		return buildPosition, true
	case "transformer_block":
		return buildTransformer, true
	case "activation":
		return buildActivation, true
	case "dropout":
		return buildDropout, true
	}
	return nil, false
}

// base starts a layer.
func (b *builder) base(in, out shape) base {
	return base{in: in, o: out, first: len(b.net.params), dx: b.wantsInputGrad()}
}

// layer builds l, named name.
func (b *builder) layer(l *spec.Layer, name string, in shape) (out layer, err error) {
	err = b.nested(name, func() error {
		build, ok := builderOf(l.Type)
		if !ok {
			return b.errorf("unknown type %q", l.Type)
		}
		out, err = build(b, l, in)
		return err
	})
	return out, err
}

// stack is layers one after the other.
type stack struct {
	base
	parts []part
}

// part is a layer of a stack.
type part struct {
	layer layer
	name  string // with those of the layers around it
	kind  string // its type in the specification; "" where that does not name it
	first int    // its first parameter
}

// add appends a layer that was just built, under a name inside the layer being built.
func (s *stack) add(b *builder, l layer, name, kind string, first int) {
	s.parts = append(s.parts, part{l, strings.Join(append(slices.Clone(b.path), name), "/"), kind, first})
	s.o = l.out()
}

// stack builds layers for an input.
func (b *builder) stack(layers []spec.Layer, in shape) (*stack, error) {
	s := &stack{base: b.base(in, in)}
	used := map[string]bool{}
	for i := range layers {
		l := &layers[i]
		name := strings.TrimPrefix(l.Name, strings.Join(b.path, "/")+"/") // names may come in full
		for k := 0; name == ""; k++ {
			if c := numbered(l.Type, k); !used[c] {
				name = c
			}
		}
		if used[name] {
			return nil, fmt.Errorf("model: two layers are named %q", name)
		}
		used[name] = true
		first := len(b.net.params)
		built, err := b.layer(l, name, s.o)
		if err != nil {
			return nil, err
		}
		s.add(b, built, name, l.Type, first)
	}
	return s, nil
}

func numbered(name string, k int) string {
	if k == 0 {
		return name
	}
	return fmt.Sprintf("%s_%d", name, k)
}

func (s *stack) newUnit(p *plan) unit {
	u := &stackUnit{stack: s, units: make([]unit, len(s.parts))}
	for i, l := range s.parts {
		u.units[i] = l.layer.newUnit(p)
	}
	return u
}

type stackUnit struct {
	*stack
	units []unit
}

func (u *stackUnit) forward(c *call, x []float32) []float32 {
	for i, l := range u.units {
		runtime.Gosched() // a process with fewer cores than passes has other goroutines that must not wait for long
		x = l.forward(c, x)
		c.look("the output of layer", u.parts[i].name, x)
	}
	return x
}

func (u *stackUnit) backward(c *call, dy []float32) []float32 {
	for i := len(u.units) - 1; i >= 0; i-- {
		if dy == nil { // nothing from here down learns
			break
		}
		runtime.Gosched()
		dy = u.units[i].backward(c, dy)
		c.look("the gradient at the input of layer", u.parts[i].name, dy)
		c.finish(u.parts[i].first)
	}
	c.finish(u.first)
	return dy
}
