// Package artifact is the model that a job leaves: which tensors of a checkpoint it consists of, and how they become
// a file that is what its digest says.
package artifact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lockstep/internal/ckpt"
	"lockstep/internal/export"
)

// Names of a checkpoint's tensors begin with what they are.
const (
	ParamPrefix  = "param/"  // a parameter, as the next step would read it
	ExportPrefix = "export/" // what is exported in the place of the parameter of that name: the best one, say
)

// ErrDigest marks a model that is not the one it should be.
var ErrDigest = errors.New("model digest differs")

// Tensors returns the model in a training state, sorted by name: the parameters, each replaced by what is exported in
// its place if there is such a tensor. The data is shared with the state.
func Tensors(s *ckpt.State) []export.Tensor { return tensors(s, ParamPrefix, ExportPrefix) }

// LastTensors returns the parameters of the last step in a training state, sorted by name, whatever is exported in their
// place. The data is shared with the state.
func LastTensors(s *ckpt.State) []export.Tensor { return tensors(s, ParamPrefix) }

// tensors takes what has the prefixes, a later one in the place of an earlier one.
func tensors(s *ckpt.State, prefixes ...string) []export.Tensor {
	model := map[string]export.Tensor{}
	for _, prefix := range prefixes {
		for _, t := range s.Tensors {
			if name, ok := strings.CutPrefix(t.Name, prefix); ok {
				model[name] = export.Tensor{Name: name, Shape: t.Shape, Data: t.Data}
			}
		}
	}
	list := make([]export.Tensor, 0, len(model))
	for _, t := range model {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b export.Tensor) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Load fetches a checkpoint, verifies every byte of it, and returns the model in it.
func Load(ctx context.Context, m ckpt.Manifest, fetch ckpt.Fetch) ([]export.Tensor, error) {
	r, err := ckpt.NewChunkReader(ctx, m, fetch)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	s, err := ckpt.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	tensors := Tensors(s)
	if len(tensors) == 0 {
		return nil, fmt.Errorf("read checkpoint: no parameters in it: %w", ckpt.ErrCorrupt)
	}
	return tensors, nil
}
