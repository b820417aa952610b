package infer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"lockstep/internal/dataset"
	"lockstep/internal/model"
	"lockstep/internal/spec"
)

// Report is how good a model is on records.
type Report struct {
	Records int                `json:"records"`
	Metrics map[string]float64 `json:"metrics"`
	Classes []ClassReport      `json:"classes,omitempty"`
	// Confusion counts records by their class, then by the predicted one.
	Confusion [][]int            `json:"confusion_matrix,omitempty"`
	Groups    map[string]*Report `json:"groups,omitempty"` // by the values of a column
}

// ClassReport is how well one class is told.
type ClassReport struct {
	Class     string  `json:"class"`
	Records   int     `json:"records"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Fitted is the dataset that d specifies, with everything that would be fitted to it replaced by what was fitted for
// the model. Classes and values of categories are the dataset's own: Evaluate compares them.
func (m *Model) Fitted(d spec.Dataset) spec.Dataset {
	fitted := slices.Clone(m.Data.Preprocessing)
	if center, scale, err := m.Data.Fitted(); err == nil && center != nil { // Open has looked for an error
		fitted = append([]spec.Preprocessor{{Type: "standardize", Mean: center, Std: scale}}, fitted...)
	}
	d.Preprocessing, d.Augmentation = fitted, nil
	d.Features = slices.Clone(d.Features)
	for i := range d.Features {
		f := &d.Features[i]
		f.Preprocessing = ""
		if f.Type == "number" && f.Missing != "" && i < len(m.Data.Columns) {
			f.Missing, f.Fill = "value", m.Data.Columns[i].Fill
		}
	}
	return d
}

// fits compares a dataset with the model's.
func (m *Model) fits(info dataset.Info) error {
	if !slices.Equal(info.Shape, m.Data.Shape) || !slices.Equal(info.Classes, m.Data.Classes) || info.Vocab != m.Data.Vocab {
		return fmt.Errorf("the dataset has records of shape %v and classes %.80q, the model %v and %.80q", info.Shape, info.Classes, m.Data.Shape, m.Data.Classes)
	}
	if len(info.Columns) != len(m.Data.Columns) {
		return fmt.Errorf("the dataset has %d columns, the model reads %d", len(info.Columns), len(m.Data.Columns))
	}
	for i, c := range m.Data.Columns {
		if c.Name != info.Columns[i].Name || !slices.Equal(c.Values, info.Columns[i].Values) {
			return fmt.Errorf("column %q of the dataset is %q with the values %.80q, the model's has %.80q", c.Name, info.Columns[i].Name, info.Columns[i].Values, c.Values)
		}
	}
	return nil
}

// Evaluate measures the model on a split, with every metric that its loss allows. With a group, a category that the model
// reads, there is also a report for each of its values.
func (m *Model) Evaluate(ctx context.Context, d *dataset.Dataset, split, group string) (*Report, error) {
	if err := m.fits(d.Info()); err != nil {
		return nil, err
	}
	net, err := m.measuring()
	if err != nil {
		return nil, err
	}
	at, values, err := m.group(group)
	if err != nil {
		return nil, err
	}
	e := &evaluation{m: m, net: net, split: d.Split(split).Plain(), pass: net.NewPass(evaluated), weights: net.NewWeights()}
	flat, err := m.bundle.Flat(net)
	if err != nil {
		return nil, err
	}
	e.weights.Load(flat)
	all := make([]int, e.split.Len())
	for i := range all {
		all[i] = i
	}
	report, err := e.run(ctx, all)
	if err != nil || group == "" {
		return report, err
	}
	members, err := e.members(all, at, len(values))
	if err != nil {
		return nil, err
	}
	report.Groups = map[string]*Report{}
	for i, records := range members {
		if len(records) > 0 {
			if report.Groups[values[i]], err = e.run(ctx, records); err != nil {
				return nil, err
			}
		}
	}
	return report, nil
}

// evaluated is the number of records at a time.
const evaluated = 128

// measuring is the model's network with all the metrics that it may have.
func (m *Model) measuring() (*model.Network, error) {
	b := *m.bundle
	j := *b.Spec
	b.Spec = &j
	net, err := b.Network()
	for _, kind := range []string{"accuracy", "top_k_accuracy", "precision", "recall", "f1", "auc", "confusion_matrix", "mae", "rmse", "r2", "perplexity"} {
		before := j.Spec.Metrics
		if slices.ContainsFunc(before, func(t spec.Metric) bool { return t.Type == kind }) || m.Data.Integer && kind == "confusion_matrix" {
			continue
		}
		j.Spec.Metrics = append(slices.Clone(before), spec.Metric{Type: kind})
		if more, err := b.Network(); err == nil {
			net = more
		} else {
			j.Spec.Metrics = before
		}
	}
	return net, err
}

// group finds the place of a category in a record's input, and its values.
func (m *Model) group(name string) (int, []string, error) {
	at := 0
	for _, c := range m.Data.Columns {
		if c.Type == "category" && c.Encoding == "" {
			if c.Name == name {
				return at, c.Values, nil
			}
			at += len(c.Values)
			continue
		}
		at += max(1, c.Numbers())
	}
	if name == "" {
		return 0, nil, nil
	}
	return 0, nil, fmt.Errorf("there is no category %q that the model reads as a one-hot vector", name)
}

// evaluation is a split under way.
type evaluation struct {
	m       *Model
	net     *model.Network
	split   *dataset.Split
	pass    *model.Pass
	weights *model.Weights
	batch   dataset.Batch
}

func (e *evaluation) members(all []int, at, values int) ([][]int, error) {
	out := make([][]int, values)
	width := e.m.Input.Width()
	for chunk := range slices.Chunk(all, evaluated) {
		if err := e.split.Read(&e.batch, chunk, 0); err != nil {
			return nil, err
		}
		for i, record := range chunk {
			if k := slices.Index(e.batch.X[i*width+at:i*width+at+values], 1); k >= 0 {
				out[k] = append(out[k], record)
			}
		}
	}
	return out, nil
}

func (e *evaluation) run(ctx context.Context, records []int) (*Report, error) {
	sums, stats := make([]float64, e.net.NumStats()), make([]float64, e.net.NumStats())
	for chunk := range slices.Chunk(records, evaluated) {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if err := e.split.Read(&e.batch, chunk, 0); err != nil {
			return nil, err
		}
		if err := e.pass.Eval(e.weights, model.Batch(e.batch), stats); err != nil {
			return nil, err
		}
		for i, v := range stats {
			sums[i] += v
		}
	}
	r := &Report{Records: len(records), Metrics: e.net.Metrics(sums)}
	e.m.classes(r)
	return r, nil
}

// classes makes the table of the confusion matrix, which is in the metrics element by element, and what follows from it.
func (m *Model) classes(r *Report) {
	n := 0
	for _, ok := r.Metrics[cell(n, n)]; ok; _, ok = r.Metrics[cell(n, n)] {
		n++
	}
	predicted := make([]int, n)
	for i := range n {
		r.Confusion = append(r.Confusion, make([]int, n))
		for j := range n {
			r.Confusion[i][j] = int(r.Metrics[cell(i, j)])
			predicted[j] += r.Confusion[i][j]
		}
	}
	maps.DeleteFunc(r.Metrics, func(name string, _ float64) bool { return len(name) > 17 && name[:17] == "confusion_matrix/" })
	for i := range n {
		c := ClassReport{Class: m.className(i)}
		for _, v := range r.Confusion[i] {
			c.Records += v
		}
		hit := float64(r.Confusion[i][i])
		c.Precision, c.Recall = hit/float64(max(1, predicted[i])), hit/float64(max(1, c.Records))
		c.F1 = 2 * hit / float64(max(1, predicted[i]+c.Records))
		r.Classes = append(r.Classes, c)
	}
}

func cell(actual, predicted int) string {
	return fmt.Sprintf("confusion_matrix/%d/%d", actual, predicted)
}
