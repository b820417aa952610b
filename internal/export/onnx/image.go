package onnx

import (
	"math"

	"lockstep/internal/kernel"
	"lockstep/internal/model"
)

// window are the attributes of a sliding window.
func window(w *kernel.Window) map[string]any {
	after := func(out, stride, k, dilation, size, before int) int {
		return max((out-1)*stride+(k-1)*dilation+1-size-before, 0)
	}
	return map[string]any{
		"kernel_shape": []int{w.KH, w.KW},
		"strides":      []int{w.StrideH, w.StrideW},
		"pads": []int{w.Top, w.Left, after(w.OutH, w.StrideH, w.KH, w.DilationH, w.H, w.Top),
			after(w.OutW, w.StrideW, w.KW, w.DilationW, w.W, w.Left)},
	}
}

func (g *graph) conv(n *model.Node, x value) value {
	w, k := n.Window, n.Params["kernel"]
	dims := []int{k.Shape[3], k.Shape[2], k.Shape[0], k.Shape[1]}
	inputs := []string{x.name, g.constant("kernel", dims, turned(g.param(n, "kernel"), k.Shape))}
	if b := g.param(n, "bias"); b != nil {
		inputs = append(inputs, g.constant("bias", []int{len(b)}, b))
	}
	attributes := window(&w)
	attributes["dilations"] = []int{w.DilationH, w.DilationW}
	attributes["group"] = n.Groups
	y := value{dims: n.Out, chw: true}
	if n.Type == "conv2d" {
		y.name = g.op("Conv", "", inputs, attributes)
	} else {
		y.name = g.transposed(&w, inputs, attributes)
	}
	return g.activate(n, y)
}

// transposed adds a transposed convolution. Runtimes want the same padding at both ends, so what there is more of it
// behind is cut off afterwards; there is less than none where strides are larger than the kernel.
func (g *graph) transposed(w *kernel.Window, inputs []string, attributes map[string]any) string {
	behind := func(large, small, stride, k, before int) int { return (small-1)*stride + k - 2*before - large }
	h, v := behind(w.H, w.OutH, w.StrideH, w.KH, w.Top), behind(w.W, w.OutW, w.StrideW, w.KW, w.Left)
	attributes["pads"] = []int{w.Top, w.Left, w.Top, w.Left}
	attributes["output_padding"] = []int{max(-h, 0), max(-v, 0)}
	y := g.op("ConvTranspose", "", inputs, attributes)
	if h <= 0 && v <= 0 {
		return y
	}
	return g.op("Slice", "", []string{y, g.integers(0, 0), g.integers(w.H, w.W), g.integers(2, 3)}, nil)
}

// turned makes [b, a, height, width] of [height, width, a, b].
func turned(v []float32, dims []int) []float32 {
	area, a, b := dims[0]*dims[1], dims[2], dims[3]
	out := make([]float32, len(v))
	for at := range area {
		for i := range a {
			for j := range b {
				out[(j*a+i)*area+at] = v[(at*a+i)*b+j]
			}
		}
	}
	return out
}

func (g *graph) pool(n *model.Node, x value) value {
	op := map[string]string{"max_pool2d": "MaxPool", "average_pool2d": "AveragePool"}[n.Type] // padding is not counted: the default
	w := n.Window
	return value{name: g.op(op, "", []string{x.name}, window(&w)), dims: n.Out, chw: true}
}

func (g *graph) globalPool(n *model.Node, x value) value {
	op := map[string]string{"global_max_pool2d": "GlobalMaxPool", "global_average_pool2d": "GlobalAveragePool"}[n.Type]
	return value{name: g.reshape(g.op(op, "", []string{x.name}, nil), n.Out), dims: n.Out}
}

// batchNorm uses the moving statistics. Images and vectors have an operator; elsewhere it is a factor and a term.
func (g *graph) batchNorm(n *model.Node, x value) value {
	gamma, beta := g.param(n, "gamma"), g.param(n, "beta")
	mean, variance := g.param(n, "moving_mean"), g.param(n, "moving_variance")
	c := len(gamma)
	if x.chw || len(x.dims) == 1 {
		inputs := []string{x.name}
		for _, v := range [][]float32{gamma, beta, mean, variance} {
			inputs = append(inputs, g.constant("norm", []int{c}, v))
		}
		x.name = g.op("BatchNormalization", "", inputs, map[string]any{"epsilon": float32(n.Epsilon)})
		return x
	}
	factor, term := make([]float32, c), make([]float32, c)
	for i := range factor {
		f := float64(gamma[i]) / math.Sqrt(float64(variance[i])+n.Epsilon)
		factor[i], term[i] = float32(f), float32(float64(beta[i])-float64(mean[i])*f)
	}
	y := g.op("Mul", "", []string{x.name, g.constant("factor", []int{c}, factor)}, nil)
	x.name = g.op("Add", "", []string{y, g.constant("term", []int{c}, term)}, nil)
	return x
}

// layerNorm: (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis.
func (g *graph) layerNorm(n *model.Node, x value) value {
	over := map[string]any{"axes": []int{len(x.dims)}, "keepdims": 1}
	d := g.op("Sub", "", []string{x.name, g.op("ReduceMean", "", []string{x.name}, over)}, nil)
	v := g.op("ReduceMean", "", []string{g.op("Mul", "", []string{d, d}, nil)}, over)
	y := g.op("Div", "", []string{d, g.op("Sqrt", "", []string{g.plus(v, n.Epsilon)}, nil)}, nil)
	gamma, beta := g.param(n, "gamma"), g.param(n, "beta")
	y = g.op("Mul", "", []string{y, g.constant("gamma", []int{len(gamma)}, gamma)}, nil)
	x.name = g.op("Add", "", []string{y, g.constant("beta", []int{len(beta)}, beta)}, nil)
	return x
}
