package model

import (
	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// activation is y = f(z), element by element or, for softmax, over the last axis.
type activation struct {
	kind         string
	slope, alpha float32
	width        int // of the last axis
}

// activation reads an activation by name, with the parameters that l gives it.
func (b *builder) activation(name string, l *spec.Layer, width int) (activation, error) {
	a := activation{kind: name, slope: float32(l.NegativeSlope), alpha: float32(l.Alpha), width: width}
	switch name {
	case "":
		a.kind = "linear"
	case "leaky_relu":
		if a.slope == 0 {
			a.slope = 0.01
		}
	case "elu":
		if a.alpha == 0 {
			a.alpha = 1
		}
	case "gelu":
		if l.Approximate == "tanh" {
			a.kind = "gelu_tanh"
		}
	case "linear", "relu", "silu", "sigmoid", "tanh", "softplus", "softmax", "log_softmax", "gelu_tanh":
	default:
		return a, b.errorf("unknown activation %q", name)
	}
	return a, nil
}

// keepsInput reports whether the gradient needs z; elsewhere y is enough, and f may work in place.
func (a *activation) keepsInput() bool {
	switch a.kind {
	case "elu", "gelu", "gelu_tanh", "silu", "softplus":
		return true
	case "leaky_relu":
		return a.slope < 0
	}
	return false
}

// apply: y = f(z).
func (a *activation) apply(y, z []float32) {
	switch a.kind {
	case "linear":
		if &y[0] != &z[0] {
			copy(y, z)
		}
	case "relu":
		kernel.Relu(y, z)
	case "leaky_relu":
		kernel.LeakyRelu(y, z, a.slope)
	case "elu":
		kernel.Elu(y, z, a.alpha)
	case "gelu":
		kernel.Gelu(y, z)
	case "gelu_tanh":
		kernel.GeluTanh(y, z)
	case "silu":
		kernel.Silu(y, z)
	case "sigmoid":
		kernel.Sigmoid(y, z)
	case "tanh":
		kernel.Tanh(y, z)
	case "softplus":
		kernel.Softplus(y, z)
	case "softmax":
		kernel.Softmax(y, z, a.width)
	case "log_softmax":
		kernel.LogSoftmax(y, z, a.width)
	}
}

// biased: y = f(z + bias), the bias added to every row; z becomes z + bias where keepsInput, else z and y may be one.
func (a *activation) biased(y, z, bias []float32) {
	switch {
	case bias == nil:
		a.apply(y, z)
	case a.kind == "relu" && &y[0] == &z[0]:
		kernel.AddBiasRelu(y, bias)
	default:
		kernel.AddBias(z, bias)
		a.apply(y, z)
	}
}

// grad turns dy into the gradient of z, in place.
func (a *activation) grad(dy, y, z []float32) {
	switch a.kind {
	case "relu":
		kernel.ReluGrad(dy, dy, y)
	case "leaky_relu":
		if a.slope < 0 {
			y = z
		}
		kernel.LeakyReluGrad(dy, dy, y, a.slope)
	case "elu":
		kernel.EluGrad(dy, dy, z, a.alpha)
	case "gelu":
		kernel.GeluGrad(dy, dy, z)
	case "gelu_tanh":
		kernel.GeluTanhGrad(dy, dy, z)
	case "silu":
		kernel.SiluGrad(dy, dy, z)
	case "sigmoid":
		kernel.SigmoidGrad(dy, dy, y)
	case "tanh":
		kernel.TanhGrad(dy, dy, y)
	case "softplus":
		kernel.SoftplusGrad(dy, dy, z)
	case "softmax":
		kernel.SoftmaxGrad(dy, dy, y, a.width)
	case "log_softmax":
		kernel.LogSoftmaxGrad(dy, dy, y, a.width)
	}
}

// activationLayer applies an activation to its input.
type activationLayer struct {
	base
	act activation
}

func buildActivation(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids {
		return nil, b.needs("[...] of floats", in)
	}
	a, err := b.activation(l.Activation, l, in.last())
	return &activationLayer{base: b.base(in, in), act: a}, err
}

func (l *activationLayer) newUnit(p *plan) unit {
	return &activationUnit{activationLayer: l, y: p.floats(l.o.size())}
}

type activationUnit struct {
	*activationLayer
	y, x []float32
}

func (u *activationUnit) forward(c *call, x []float32) []float32 {
	u.x = x
	y := u.y[:len(x)]
	u.act.apply(y, x)
	return y
}

func (u *activationUnit) backward(_ *call, dy []float32) []float32 {
	if !u.dx {
		return nil
	}
	u.act.grad(dy, u.y[:len(dy)], u.x)
	return dy
}
