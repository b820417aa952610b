// Package infer uses trained models: predictions for new records, figures on a dataset, and text.
//
// Everything is computed as in training's evaluations: the same preprocessing, the same kernels, batch normalisation by its
// moving statistics, no dropout. A prediction does not depend on the other records of its batch.
package infer

import (
	"fmt"

	"lockstep/internal/bundle"
	"lockstep/internal/dataset"
	"lockstep/internal/kernel"
	"lockstep/internal/kernel/f64"
	"lockstep/internal/model"
)

// Model is a model ready for use. It does not change, and is safe for concurrent use.
type Model struct {
	Name  string
	Data  dataset.Info
	Input *dataset.Input

	bundle  *bundle.Bundle
	net     *model.Network
	weights *model.Weights
	decides decision
}

// decision is how classes are read off the output.
type decision int

const (
	decidesNothing decision = iota
	decidesLargest          // the class of the largest output, which are probabilities
	decidesSoftmax          // the same, of logits
	decidesSign             // yes or no by one output: a probability
	decidesSigmoid          // the same, of a logit
)

// Open prepares a model.
func Open(b *bundle.Bundle) (*Model, error) {
	net, err := b.Network()
	if err != nil {
		return nil, err
	}
	flat, err := b.Flat(net)
	if err != nil {
		return nil, err
	}
	in, err := dataset.NewInput(b.Data)
	if err != nil {
		return nil, err
	}
	m := &Model{Name: b.Spec.Metadata.Name, Data: b.Data, Input: in, bundle: b, net: net, weights: net.NewWeights()}
	m.weights.Load(flat)
	m.decides = m.decision()
	return m, nil
}

func (m *Model) decision() decision {
	loss, out := m.bundle.Spec.Spec.Loss, m.net.OutputShape()
	logits := loss.FromLogits == nil || *loss.FromLogits
	switch {
	case m.Data.ClassCount == 0 || m.Data.Integer && len(m.Data.TargetShape) > 0 || len(out) != 1:
		return decidesNothing
	case loss.Type == "cross_entropy" && logits:
		return decidesSoftmax
	case loss.Type == "cross_entropy":
		return decidesLargest
	case loss.Type == "binary_cross_entropy" && out[0] == 1 && logits:
		return decidesSigmoid
	case loss.Type == "binary_cross_entropy" && out[0] == 1:
		return decidesSign
	}
	return decidesNothing
}

// InputShape and OutputShape are those of one record.
func (m *Model) InputShape() []int { return m.net.InputShape() }

// OutputShape is the shape of one record's output.
func (m *Model) OutputShape() []int { return m.net.OutputShape() }

// Decides reports whether predictions have classes.
func (m *Model) Decides() bool { return m.decides != decidesNothing }

// Record is the input of one record: numbers, or token ids.
type Record struct {
	X   []float32
	IDs []int32
}

// Prediction is what a model says of one record.
type Prediction struct {
	Output      []float32 `json:"output"`                // of OutputShape, as the model computes it
	Class       string    `json:"class,omitempty"`       // the most probable one
	Probability float64   `json:"probability,omitempty"` // of it
}

// Predictor computes batches of up to a number of records. It is not for concurrent use.
type Predictor struct {
	m     *Model
	pass  *model.Pass
	rows  int
	batch model.Batch
	out   []float32
}

// NewPredictor plans the memory for batches of up to rows records.
func (m *Model) NewPredictor(rows int) *Predictor {
	return &Predictor{m: m, pass: m.net.NewPass(rows), rows: rows, out: make([]float32, rows*volume(m.net.OutputShape()))}
}

// Rows is the largest number of records at a time.
func (p *Predictor) Rows() int { return p.rows }

// Predict computes up to Rows records. The predictions are the caller's.
func (p *Predictor) Predict(records []Record) ([]Prediction, error) {
	p.batch.N, p.batch.X, p.batch.IDs = len(records), p.batch.X[:0], p.batch.IDs[:0]
	for _, r := range records {
		p.batch.X, p.batch.IDs = append(p.batch.X, r.X...), append(p.batch.IDs, r.IDs...)
	}
	width := volume(p.m.net.OutputShape())
	out := p.out[:min(len(p.out), len(records)*width)]
	if err := p.pass.Predict(p.m.weights, p.batch, out); err != nil {
		return nil, err
	}
	predictions := make([]Prediction, len(records))
	for i := range predictions {
		predictions[i] = p.m.decide(append([]float32(nil), out[i*width:(i+1)*width]...))
	}
	return predictions, nil
}

// decide reads the class off an output.
func (m *Model) decide(y []float32) Prediction {
	p := Prediction{Output: y}
	probabilities := y
	switch m.decides {
	case decidesNothing:
		return p
	case decidesSign, decidesSigmoid:
		yes := float64(y[0])
		if m.decides == decidesSigmoid {
			yes = 1 / (1 + f64.Exp(-yes))
		}
		p.Class, p.Probability = m.className(0), 1-yes
		if yes > 0.5 {
			p.Class, p.Probability = m.className(1), yes
		}
		return p
	case decidesSoftmax:
		probabilities = make([]float32, len(y))
		kernel.Softmax(probabilities, y, len(y))
	}
	at := 0
	for i, v := range probabilities {
		if v > probabilities[at] {
			at = i
		}
	}
	p.Class, p.Probability = m.className(at), float64(probabilities[at])
	return p
}

// className names class i; an output may have more than the data.
func (m *Model) className(i int) string {
	if i < len(m.Data.Classes) {
		return m.Data.Classes[i]
	}
	return fmt.Sprint(i)
}

func volume(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
