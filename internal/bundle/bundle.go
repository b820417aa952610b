// Package bundle is a model with all that its use needs: the specification of its job, what was settled about its data
// (columns, fitted preprocessing, classes, vocabulary), and its tensors.
//
// In a file it is safetensors whose metadata has one key, "lockstep": a JSON object {"version": 1, "spec": ..., "data": ...}.
// Such a file has another digest than the canonical one, which has no metadata; the tensors are the same.
package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"lockstep/internal/artifact"
	"lockstep/internal/ckpt"
	"lockstep/internal/dataset"
	"lockstep/internal/export"
	"lockstep/internal/model"
	"lockstep/internal/spec"
)

// Bundle is a model that can be used.
type Bundle struct {
	Spec    *spec.Job
	Data    dataset.Info
	Tensors []export.Tensor // sorted by name
}

const (
	metadataKey = "lockstep"
	version     = 1
)

// ErrPlain marks a file that has tensors, but not what their use needs.
var ErrPlain = errors.New("the file holds only tensors: write one with lockstep model export --format bundle, or name the job")

// text is a bundle's JSON form, without the tensors.
type text struct {
	Version int             `json:"version"`
	Spec    json.RawMessage `json:"spec"`
	Data    json.RawMessage `json:"data"`
}

// FromState takes the model out of a training state of the job with this canonical specification. With last it is the one
// of the last step, else the job's result.
func FromState(specText []byte, s *ckpt.State, last bool) (*Bundle, error) {
	if len(s.Dataset) == 0 {
		return nil, errors.New("the checkpoint does not say what its data is like: an older version wrote it")
	}
	tensors := artifact.Tensors(s)
	if last {
		tensors = artifact.LastTensors(s)
	}
	return build(specText, s.Dataset, tensors)
}

func build(specText, data []byte, tensors []export.Tensor) (*Bundle, error) {
	b := &Bundle{Tensors: tensors}
	var err error
	if b.Spec, err = spec.FromCanonical(specText); err != nil {
		return nil, fmt.Errorf("specification of the model: %w", err)
	}
	if err := json.Unmarshal(data, &b.Data); err != nil {
		return nil, fmt.Errorf("data of the model: %w", err)
	}
	return b, b.check()
}

// check compares the tensors with what the specification makes.
func (b *Bundle) check() error {
	net, err := b.Network()
	if err != nil {
		return fmt.Errorf("the model cannot be built: %w", err)
	}
	_, err = b.Flat(net)
	return err
}

// Network builds the model's network.
func (b *Bundle) Network() (*model.Network, error) {
	d := &b.Data
	return model.Build(&b.Spec.Spec, model.Data{Shape: d.Shape, Integer: d.Integer, Vocab: d.Vocab, TargetShape: d.TargetShape, Classes: d.ClassCount})
}

// Flat is the tensors as a network's parameter vector.
func (b *Bundle) Flat(net *model.Network) ([]float32, error) {
	flat := make([]float32, net.Size())
	for _, p := range net.Params() {
		i, ok := slices.BinarySearchFunc(b.Tensors, p.Name, func(t export.Tensor, name string) int { return strings.Compare(t.Name, name) })
		if !ok || !slices.Equal(b.Tensors[i].Shape, p.Shape) {
			return nil, fmt.Errorf("the model has no tensor %q of shape %v", p.Name, p.Shape)
		}
		copy(flat[p.Off:p.Off+p.Len], b.Tensors[i].Data)
	}
	return flat, nil
}

// Metadata is what a bundle says beside its tensors.
func (b *Bundle) Metadata() (map[string]string, error) {
	data, err := json.Marshal(b.Data)
	if err != nil {
		return nil, fmt.Errorf("describe model: %w", err)
	}
	about, err := json.Marshal(text{Version: version, Spec: b.Spec.Canonical(), Data: data})
	if err != nil {
		return nil, fmt.Errorf("describe model: %w", err)
	}
	return map[string]string{metadataKey: string(about)}, nil
}

// Write writes the bundle to w.
func (b *Bundle) Write(w io.Writer) error {
	metadata, err := b.Metadata()
	if err != nil {
		return err
	}
	return export.WriteWithMetadata(w, b.Tensors, metadata)
}

// Read reads a bundle to the end of r.
func Read(r io.Reader) (*Bundle, error) {
	tensors, metadata, err := export.ReadWithMetadata(r)
	if err != nil {
		return nil, err
	}
	about, ok := metadata[metadataKey]
	if !ok {
		return nil, ErrPlain
	}
	var t text
	if err := json.Unmarshal([]byte(about), &t); err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	if t.Version != version {
		return nil, fmt.Errorf("read bundle: version %d is not known, only %d", t.Version, version)
	}
	return build(t.Spec, t.Data, tensors)
}

// ReadFile reads the bundle in a file.
func ReadFile(path string) (*Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}
