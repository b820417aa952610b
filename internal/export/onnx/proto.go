package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields that are written, from onnx.proto3.
const (
	modelIRVersion, modelProducer, modelProducerVersion, modelGraph, modelOpset, modelMetadata = 1, 2, 3, 7, 8, 14

	graphNode, graphName, graphInitializer, graphInput, graphOutput = 1, 2, 5, 11, 12

	nodeInput, nodeOutput, nodeName, nodeOp, nodeAttribute = 1, 2, 3, 4, 5

	attributeName, attributeF, attributeI, attributeS, attributeInts, attributeStrings, attributeType = 1, 2, 3, 4, 8, 9, 20

	tensorDims, tensorType, tensorName, tensorRaw = 1, 2, 8, 9
)

// Element types, and types of attributes.
const (
	typeFloat, typeInt64 = 1, 7

	attributeIsFloat, attributeIsInt, attributeIsString, attributeIsInts, attributeIsStrings = 1, 2, 3, 7, 8
)

// message is a protobuf message under construction.
type message []byte

func (m *message) int(field protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), v)
}

func (m *message) text(field protowire.Number, v string) { m.bytes(field, []byte(v)) }

func (m *message) float(field protowire.Number, v float32) {
	*m = protowire.AppendFixed32(protowire.AppendTag(*m, field, protowire.Fixed32Type), math.Float32bits(v))
}

// attribute is a named constant of a node.
func attribute(name string, value any) message {
	var m message
	m.text(attributeName, name)
	switch v := value.(type) {
	case float32:
		m.float(attributeF, v)
		m.int(attributeType, attributeIsFloat)
	case int:
		m.int(attributeI, int64(v))
		m.int(attributeType, attributeIsInt)
	case string:
		m.text(attributeS, v)
		m.int(attributeType, attributeIsString)
	case []int:
		for _, i := range v {
			m.int(attributeInts, int64(i))
		}
		m.int(attributeType, attributeIsInts)
	case []string:
		for _, x := range v {
			m.text(attributeStrings, x)
		}
		m.int(attributeType, attributeIsStrings)
	default:
		panic("onnx: attribute of an unknown type")
	}
	return m
}

// tensor is an initializer.
func tensor(name string, kind int64, dims []int, raw []byte) message {
	var m message
	for _, d := range dims {
		m.int(tensorDims, int64(d))
	}
	m.int(tensorType, kind)
	m.text(tensorName, name)
	m.bytes(tensorRaw, raw)
	return m
}

func floats(v []float32) []byte {
	out := make([]byte, 0, 4*len(v))
	for _, x := range v {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

func ints(v []int) []byte {
	out := make([]byte, 0, 8*len(v))
	for _, x := range v {
		out = binary.LittleEndian.AppendUint64(out, uint64(x))
	}
	return out
}

// valueInfo describes an input or output: [batch, dims]; a batch of 0 is any.
func valueInfo(name string, kind int64, batch int, dims []int) message {
	var shape message
	var first message
	if batch > 0 {
		first.int(1, int64(batch))
	} else {
		first.text(2, "batch")
	}
	shape.bytes(1, first)
	for _, d := range dims {
		var dim message
		dim.int(1, int64(d))
		shape.bytes(1, dim)
	}
	var array, whole, info message
	array.int(1, kind)
	array.bytes(2, shape)
	whole.bytes(1, array)
	info.text(1, name)
	info.bytes(2, whole)
	return info
}
