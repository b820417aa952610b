package torch

import (
	"fmt"
	"slices"
	"strings"

	"lockstep/internal/export"
	"lockstep/internal/model"
)

// tensor is one of PyTorch's tensors: parts of the model's, one after the other.
type tensor struct {
	name  string
	shape []int
	parts []part
}

// part is n elements: element i is element at(i) of the parameter.
type part struct {
	param model.Param
	n     int
	at    func(i int) int
	extra bool // PyTorch has two where the model has their sum: this one is written as 0, and added when it is read
}

// FromCanonical gives a network's tensors PyTorch's names and layouts.
func FromCanonical(net *model.Network, tensors []export.Tensor) ([]export.Tensor, error) {
	have := byName(tensors)
	var out []export.Tensor
	for _, t := range mapping(net) {
		x := export.Tensor{Name: t.name, Shape: t.shape}
		for _, p := range t.parts {
			src, err := take(have, p.param.Name, p.param.Shape)
			if err != nil {
				return nil, err
			}
			for i := range p.n {
				v := float32(0)
				if !p.extra {
					v = src.Data[p.at(i)]
				}
				x.Data = append(x.Data, v)
			}
		}
		out = append(out, x)
	}
	return out, nil
}

// ToCanonical gives tensors with PyTorch's names and layouts a network's own. Tensors that it does not know, such as
// num_batches_tracked, are left out.
func ToCanonical(net *model.Network, tensors []export.Tensor) ([]export.Tensor, error) {
	out, missing, err := read(net, tensors)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("no tensor %q", missing[0])
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Shared is ToCanonical for the tensors of a network that has layers in common with net: parameters that nothing is
// there for are left out.
func Shared(net *model.Network, tensors []export.Tensor) ([]export.Tensor, error) {
	out, _, err := read(net, tensors)
	return out, err
}

// read gives a network's parameters what there is for them, and lists PyTorch's tensors that are missing. An error names
// a tensor that does not fit.
func read(net *model.Network, tensors []export.Tensor) (out []export.Tensor, missing []string, err error) {
	have := byName(tensors)
	made, lacking := map[string][]float32{}, map[string]bool{}
	for _, t := range mapping(net) {
		if _, ok := have[t.name]; !ok {
			missing = append(missing, t.name)
			for _, p := range t.parts {
				lacking[p.param.Name] = true
			}
			continue
		}
		src, err := take(have, t.name, t.shape)
		if err != nil {
			return nil, nil, err
		}
		off := 0
		for _, p := range t.parts {
			dst := made[p.param.Name]
			if dst == nil {
				dst = make([]float32, p.param.Len)
				made[p.param.Name] = dst
			}
			for i := range p.n {
				dst[p.at(i)] += src.Data[off+i]
			}
			off += p.n
		}
	}
	for _, p := range net.Params() {
		if data := made[p.Name]; data != nil && !lacking[p.Name] {
			out = append(out, export.Tensor{Name: p.Name, Shape: p.Shape, Data: data})
		}
	}
	return out, missing, nil
}

func byName(tensors []export.Tensor) map[string]export.Tensor {
	m := map[string]export.Tensor{}
	for _, t := range tensors {
		m[t.Name] = t
	}
	return m
}

func take(have map[string]export.Tensor, name string, shape []int) (export.Tensor, error) {
	t, ok := have[name]
	if !ok {
		return t, fmt.Errorf("no tensor %q", name)
	}
	if !slices.Equal(t.Shape, shape) {
		return t, fmt.Errorf("tensor %q has shape %v, want %v", name, t.Shape, shape)
	}
	return t, nil
}

// module is PyTorch's name of the module that a parameter belongs to.
func module(p model.Param) string {
	name := p.Name[:max(strings.LastIndex(p.Name, "/"), 0)]
	return strings.ReplaceAll(name, "/", ".")
}

// prefixed names a module by what the parameter's own name begins with, inside a transformer block.
func prefixed(p model.Param) string {
	m := module(p)
	own := p.Name[strings.LastIndex(p.Name, "/")+1:]
	for prefix, name := range map[string]string{"ln1_": "norm1", "ln2_": "norm2", "attn_": "self_attn", "mlp1_": "linear1", "mlp2_": "linear2"} {
		if strings.HasPrefix(own, prefix) {
			return m + "." + name
		}
	}
	return m
}
