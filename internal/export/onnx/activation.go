package onnx

import (
	"math"

	"lockstep/internal/model"
)

// activate applies a layer's activation.
func (g *graph) activate(n *model.Node, x value) value {
	a := n.Activation
	one := func(op string, attributes map[string]any) value {
		x.name = g.op(op, "", []string{x.name}, attributes)
		return x
	}
	switch a.Kind {
	case "", "linear":
		return x
	case "relu":
		return one("Relu", nil)
	case "leaky_relu":
		return one("LeakyRelu", map[string]any{"alpha": a.Slope})
	case "elu":
		return one("Elu", map[string]any{"alpha": a.Alpha})
	case "sigmoid":
		return one("Sigmoid", nil)
	case "tanh":
		return one("Tanh", nil)
	case "softplus":
		return one("Softplus", nil)
	case "softmax", "log_softmax":
		op := map[string]string{"softmax": "Softmax", "log_softmax": "LogSoftmax"}[a.Kind]
		x = g.last(x)
		return one(op, map[string]any{"axis": len(x.dims)})
	case "silu":
		x.name = g.op("Mul", "", []string{x.name, g.op("Sigmoid", "", []string{x.name}, nil)}, nil)
	case "gelu": // x/2 * (1 + erf(x/sqrt 2))
		e := g.op("Erf", "", []string{g.times(x.name, math.Sqrt2/2)}, nil)
		x.name = g.op("Mul", "", []string{g.times(x.name, 0.5), g.plus(e, 1)}, nil)
	case "gelu_tanh": // x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
		cube := g.op("Mul", "", []string{x.name, g.op("Mul", "", []string{x.name, x.name}, nil)}, nil)
		inner := g.op("Add", "", []string{x.name, g.times(cube, 0.044715)}, nil)
		t := g.op("Tanh", "", []string{g.times(inner, math.Sqrt(2/math.Pi))}, nil)
		x.name = g.op("Mul", "", []string{g.times(x.name, 0.5), g.plus(t, 1)}, nil)
	default:
		return g.fail(n, "there is no equivalent of the activation "+a.Kind)
	}
	return x
}

func (g *graph) times(x string, by float64) string {
	return g.op("Mul", "", []string{x, g.constant("factor", nil, []float32{float32(by)})}, nil)
}

func (g *graph) plus(x string, v float64) string {
	return g.op("Add", "", []string{x, g.constant("term", nil, []float32{float32(v)})}, nil)
}
