package onnx

import (
	"lockstep/internal/model"
)

func (g *graph) layers(nodes []model.Node, x value) value {
	for i := range nodes {
		if g.err != nil {
			return x
		}
		x = g.layer(&nodes[i], x)
	}
	return x
}

// layer adds what a layer computes.
func (g *graph) layer(n *model.Node, x value) value {
	if n.Mask {
		return g.fail(n, "it masks steps (mask_zero), which ONNX does not have")
	}
	switch n.Type {
	case "stack":
		return g.layers(n.Layers, x)
	case "dropout":
		return x
	case "activation":
		return g.activate(n, x)
	case "dense":
		return g.dense(n, g.last(x))
	case "conv2d", "conv2d_transpose":
		return g.conv(n, g.first(x))
	case "max_pool2d", "average_pool2d":
		return g.pool(n, g.first(x))
	case "global_max_pool2d", "global_average_pool2d":
		return g.globalPool(n, g.first(x))
	case "reshape":
		return value{name: g.reshape(g.last(x).name, n.Out), dims: n.Out}
	case "batch_norm":
		return g.batchNorm(n, x)
	case "layer_norm":
		return g.layerNorm(n, g.last(x))
	case "embedding":
		table := n.Params["table"]
		return value{name: g.op("Gather", "", []string{g.constant("table", table.Shape, g.param(n, "table")), x.name}, map[string]any{"axis": 0}), dims: n.Out}
	case "positional_embedding":
		table := n.Table
		if table == nil {
			table = g.param(n, "table")
		}
		return value{name: g.op("Add", "", []string{g.last(x).name, g.constant("table", n.In, table)}, nil), dims: n.Out}
	case "simple_rnn", "lstm", "gru":
		return g.recurrent(n, []model.Node{*n}, g.last(x))
	case "bidirectional":
		return g.recurrent(n, n.Layers, g.last(x))
	case "time_distributed":
		return g.timeDistributed(n, g.last(x))
	case "residual":
		x = g.last(x)
		y := g.last(g.layers(n.Layers, x))
		return value{name: g.op("Add", "", []string{x.name, y.name}, nil), dims: n.Out}
	case "multi_head_attention":
		return g.attention(n, g.last(x))
	}
	return g.fail(n, "there is no equivalent of type "+n.Type)
}

// first turns images to [batch, channels, height, width].
func (g *graph) first(x value) value {
	if x.chw {
		return x
	}
	if h, w, c := x.dims[0], x.dims[1], x.dims[2]; c == 1 { // the same numbers in the same order
		return value{name: g.reshape(x.name, []int{1, h, w}), dims: x.dims, chw: true}
	}
	return value{name: g.transpose(x.name, 0, 3, 1, 2), dims: x.dims, chw: true}
}

// last turns images to [batch, height, width, channels].
func (g *graph) last(x value) value {
	if !x.chw {
		return x
	}
	return value{name: g.transpose(x.name, 0, 2, 3, 1), dims: x.dims}
}

func (g *graph) transpose(x string, perm ...int) string {
	return g.op("Transpose", "", []string{x}, map[string]any{"perm": perm})
}

// reshape makes [batch, dims] of x, whatever the batch is.
func (g *graph) reshape(x string, dims []int) string {
	batch := -1
	if g.batch > 0 {
		batch = g.batch
	}
	return g.op("Reshape", "", []string{x, g.integers(append([]int{batch}, dims...)...)}, nil)
}

func (g *graph) dense(n *model.Node, x value) value {
	k := n.Params["kernel"]
	y := g.linear(x.name, k.Shape, g.param(n, "kernel"), g.param(n, "bias"), len(x.dims) == 1)
	return g.activate(n, value{name: y, dims: n.Out})
}

// linear is x*kernel + bias; flat says that x has two axes.
func (g *graph) linear(x string, dims []int, kernel, bias []float32, flat bool) string {
	if flat && bias != nil { // as PyTorch writes it, which every runtime knows
		w := g.constant("weight", []int{dims[1], dims[0]}, gates(kernel, dims[0], dims[1], []int{0}))
		return g.op("Gemm", "", []string{x, w, g.constant("bias", []int{dims[1]}, bias)}, map[string]any{"transB": 1})
	}
	y := g.op("MatMul", "", []string{x, g.constant("kernel", dims, kernel)}, nil)
	if bias == nil {
		return y
	}
	return g.op("Add", "", []string{y, g.constant("bias", []int{dims[1]}, bias)}, nil)
}

// timeDistributed makes the steps records of their own, and undoes that behind the layer inside.
func (g *graph) timeDistributed(n *model.Node, x value) value {
	batch := g.batch
	g.batch *= n.Steps
	inner := n.In[1:]
	x = value{name: g.reshape(x.name, inner), dims: inner}
	x = g.last(g.layers(n.Layers, x))
	g.batch = batch
	return value{name: g.reshape(x.name, n.Out), dims: n.Out}
}
