package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lockstep/internal/spec"
)

// Network is a model with its loss and metrics, every shape known. It is immutable.
//
// Invariants:
//  1. params are in forward order, their Off rises, and each Off is a multiple of align.
//  2. What lies between two parameters is zero in parameters, gradients and optimizer state.
//  3. A parameter's index, and so its stream of initial values, depends on the specification alone.
type Network struct {
	input  shape
	root   *stack
	output shape
	params []Param
	inits  []initializer // of params, same index
	packs  []packSpec
	size   int
	vocab  int         // ids are below it; 0: no ids
	final  *activation // of the last layer, if the loss takes its input in place of its output; else nil
	loss   *lossDef
	meters []meter
	stats  int
}

// align is the grid of parameter offsets, in floats: one cache line, and a whole number of SIMD registers.
const align = 16

// Build infers the shapes of job's model for data and checks that loss, metrics and targets fit. An error about a
// layer is a *LayerError that names the layer and both shapes.
func Build(job *spec.TrainJob, data Data) (*Network, error) {
	in, err := inputShape(job.Model.Input.Shape, data)
	if err != nil {
		return nil, err
	}
	b := &builder{net: &Network{input: in}, data: data, freeze: map[string]bool{}}
	b.freezeAll(job.Model.Freeze)
	if job.InitFrom != nil {
		b.freezeAll(job.InitFrom.Freeze)
	}
	n := b.net
	layers, loss, final := withLogits(job.Model.Layers, job.Loss)
	if n.root, err = b.stack(layers, in); err != nil {
		return nil, err
	}
	for name, used := range b.freeze {
		if !used {
			err = errors.Join(err, fmt.Errorf("freeze: there is no layer %q", name))
		}
	}
	if err != nil {
		return nil, err
	}
	n.output = n.root.out()
	if final != "" {
		n.final = &activation{kind: final, width: n.output.last()}
	}
	if n.loss, err = buildLoss(loss, data, n.output); err != nil {
		return nil, err
	}
	n.stats = 2 + n.loss.extra
	for _, m := range job.Metrics {
		if err := n.addMeter(m); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// withLogits takes the activation off the last layer if it makes the probabilities that the loss then takes the logarithm
// of: together they are computed from logits, safely. final is the activation that predictions still need, or "".
func withLogits(layers []spec.Layer, loss spec.Loss) (_ []spec.Layer, _ spec.Loss, final string) {
	if len(layers) == 0 || loss.FromLogits == nil || *loss.FromLogits {
		return layers, loss, ""
	}
	last := len(layers) - 1
	final = map[string]string{"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}[loss.Type]
	if l := &layers[last]; final == "" || l.Activation != final || l.Type != "dense" && l.Type != "activation" {
		return layers, loss, ""
	}
	layers = slices.Clone(layers)
	layers[last].Activation, loss.FromLogits = "linear", nil
	return layers, loss, final
}

// inputShape reconciles the shape that the specification gives with the dataset's: one may be a reshape of the other.
func inputShape(given []int, data Data) (shape, error) {
	s := shape{dims: given, ids: data.Integer}
	if len(given) == 0 {
		s.dims = data.Shape
	}
	if len(s.dims) == 0 {
		return s, errors.New("model: the input's shape is not known: give input.shape")
	}
	if slices.ContainsFunc(s.dims, func(d int) bool { return d < 1 }) {
		return s, fmt.Errorf("model: input.shape %v has a dimension below 1", s.dims)
	}
	if data.Shape != nil && volume(data.Shape) != s.size() {
		return s, fmt.Errorf("model: input.shape %v does not fit the dataset's records of shape %v", given, data.Shape)
	}
	return s, nil
}

// Params lists the parameters in forward order. The caller must not change it.
func (n *Network) Params() []Param { return n.params }

// Size is the length of the parameter vector in floats, padding included.
func (n *Network) Size() int { return n.size }

// InputShape is the shape of one record's input. The caller must not change it.
func (n *Network) InputShape() []int { return n.input.dims }

// OutputShape is the shape of one record's prediction. The caller must not change it.
func (n *Network) OutputShape() []int { return n.output.dims }

// NumStats is the number of sums that Train and Eval report.
func (n *Network) NumStats() int { return n.stats }

// Metrics turns sums over any set of records into "loss" and the metrics of the specification, each by its type.
// sums[0] is the sum of losses, sums[1] the sum of weights; without records the map is empty. The loss is the data's:
// a regularizer's penalty is not in it.
func (n *Network) Metrics(sums []float64) map[string]float64 {
	out := map[string]float64{}
	if sums[1] == 0 {
		return out
	}
	out["loss"] = sums[0] / sums[1]
	for _, m := range n.meters {
		m.report(sums, out)
	}
	return out
}

// builder is a Network under construction.
type builder struct {
	net       *Network
	data      Data
	path      []string // names of the layers around the one being built, and its own
	prefix    string   // of its parameters' names
	frozen    bool     // one of them, or itself, is frozen
	freeze    map[string]bool
	trainable int // parameters so far that have a gradient
	dropouts  int
}

func (b *builder) freezeAll(names []string) {
	for _, s := range names {
		b.freeze[s] = false
	}
}

// nested runs f with the layer name added to the path.
func (b *builder) nested(name string, f func() error) error {
	frozen := b.frozen
	b.path = append(b.path, name)
	full := strings.Join(b.path, "/")
	for entry := range b.freeze {
		if spec.Freezes(entry, full) {
			b.freeze[entry], b.frozen = true, true
		}
	}
	err := f()
	b.path, b.frozen = b.path[:len(b.path)-1], frozen
	return err
}

// errorf is a LayerError about the layer being built.
func (b *builder) errorf(format string, args ...any) error {
	return &LayerError{Layer: strings.Join(b.path, "/"), Err: fmt.Errorf(format, args...)}
}

// needs is the LayerError of a layer whose input has the wrong shape.
func (b *builder) needs(want string, in shape) error {
	what := ""
	if in.ids {
		what = " of token ids"
	}
	return b.errorf("it needs an input of shape %s, but gets %v%s", want, in.dims, what)
}

// param adds a tensor to the network and returns its index.
func (b *builder) param(name string, init initializer, reg *spec.Regularizer, dims ...int) int {
	n := b.net
	p := Param{Name: strings.Join(append(slices.Clone(b.path), b.prefix+name), "/"), Shape: dims, Off: n.size, Len: volume(dims)}
	if b.frozen {
		p.Kind = Frozen
	} else {
		b.trainable++
		if reg != nil {
			p.L1, p.L2 = reg.L1, reg.L2
		}
	}
	n.params = append(n.params, p)
	n.inits = append(n.inits, init)
	n.size = (p.Off + p.Len + align - 1) / align * align
	return len(n.params) - 1
}

// moving adds a moving average.
func (b *builder) moving(name string, init initializer, momentum float64, dims ...int) int {
	i := b.param(name, init, nil, dims...)
	if p := &b.net.params[i]; p.Kind == Trainable {
		p.Kind, p.Momentum = Moving, momentum
		b.trainable--
	}
	return i
}

// pack asks for a matrix that Weights keeps packed for the kernels, and returns its index.
func (b *builder) pack(s packSpec) int {
	b.net.packs = append(b.net.packs, s)
	return len(b.net.packs) - 1
}

// wantsInputGrad reports whether something before the layer being built learns.
func (b *builder) wantsInputGrad() bool { return b.trainable > 0 }
