package onnx

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"lockstep/internal/export"
	"lockstep/internal/model"
)

// Options are what a file holds beside the graph.
type Options struct {
	Name     string            // of the graph
	Metadata map[string]string // metadata_props
	Batch    int               // records at a time; 0: any number
}

// LayerError is a layer that ONNX has no equivalent for.
type LayerError struct {
	Layer, Why string
}

func (e *LayerError) Error() string {
	return fmt.Sprintf("export to ONNX: layer %q: %s", e.Layer, e.Why)
}

// Write writes a network with the values of its tensors to w. An error about a layer is a *LayerError.
func Write(w io.Writer, net *model.Network, tensors []export.Tensor, o Options) error {
	g := &graph{values: map[string][]float32{}, batch: o.Batch}
	for _, t := range tensors {
		g.values[t.Name] = t.Data
	}
	root := net.Describe()
	kind := int64(typeFloat)
	if root.IDs {
		kind = typeInt64
	}
	x := g.layers(root.Layers, value{name: "input", dims: root.In})
	x = g.last(x)
	g.op("Identity", "output", []string{x.name}, nil)
	if g.err != nil {
		return g.err
	}
	var body message
	for _, n := range g.nodes {
		body.bytes(graphNode, n)
	}
	body.text(graphName, o.Name)
	for _, t := range g.constants {
		body.bytes(graphInitializer, t)
	}
	body.bytes(graphInput, valueInfo("input", kind, o.Batch, root.In))
	body.bytes(graphOutput, valueInfo("output", typeFloat, o.Batch, x.dims))
	_, err := w.Write(file(body, o.Metadata))
	return err
}

// file is the ModelProto around a graph.
func file(graph message, metadata map[string]string) message {
	var m, opset message
	m.int(modelIRVersion, 7)
	m.text(modelProducer, "lockstep")
	opset.text(1, "")
	opset.int(2, 11)
	m.bytes(modelOpset, opset)
	m.bytes(modelGraph, graph)
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		var entry message
		entry.text(1, key)
		entry.text(2, metadata[key])
		m.bytes(modelMetadata, entry)
	}
	return m
}

// value is a tensor in the graph: [batch, dims], dims being a record's shape as Lockstep has it. With chw it is an
// image that stands as [batch, channels, height, width].
type value struct {
	name string
	dims []int
	chw  bool
}

// graph is a graph under construction. Its first error stays.
type graph struct {
	values    map[string][]float32 // of the parameters
	batch     int
	nodes     []message
	constants []message
	count     int
	err       error
}

func (g *graph) fail(n *model.Node, why string) value {
	if g.err == nil {
		g.err = &LayerError{Layer: n.Name, Why: why}
	}
	return value{name: "none", dims: n.Out}
}

// fresh is a name that was not used before.
func (g *graph) fresh(what string) string {
	g.count++
	return fmt.Sprintf("%s_%d", what, g.count)
}

// op adds a node with one output, under a new name if none is given, and returns the output's name.
func (g *graph) op(kind, output string, inputs []string, attributes map[string]any) string {
	if output == "" {
		output = g.fresh(kind)
	}
	g.outputs(kind, []string{output}, inputs, attributes)
	return output
}

func (g *graph) outputs(kind string, outputs, inputs []string, attributes map[string]any) {
	var m message
	for _, in := range inputs {
		m.text(nodeInput, in)
	}
	for _, out := range outputs {
		m.text(nodeOutput, out)
	}
	m.text(nodeName, outputs[len(outputs)-1]+"_node")
	m.text(nodeOp, kind)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		m.bytes(nodeAttribute, attribute(name, attributes[name]))
	}
	g.nodes = append(g.nodes, m)
}

// constant adds an array of floats.
func (g *graph) constant(what string, dims []int, v []float32) string {
	name := g.fresh(what)
	g.constants = append(g.constants, tensor(name, typeFloat, dims, floats(v)))
	return name
}

// integers adds a list of integers.
func (g *graph) integers(v ...int) string {
	name := g.fresh("shape")
	g.constants = append(g.constants, tensor(name, typeInt64, []int{len(v)}, ints(v)))
	return name
}

// param returns the values of a layer's parameter, nil if it has none of that name.
func (g *graph) param(n *model.Node, name string) []float32 {
	p, ok := n.Params[name]
	if !ok {
		return nil
	}
	v, ok := g.values[p.Name]
	if g.err == nil && (!ok || len(v) != p.Len) {
		g.err = fmt.Errorf("export to ONNX: tensor %q has %d values, want %d", p.Name, len(v), p.Len)
	}
	if g.err != nil {
		return make([]float32, p.Len)
	}
	return v
}
