package model

import (
	"fmt"
	"slices"

	"lockstep/internal/spec"
)

// lossDef is the loss of a network. A record has places, each with its own loss over width outputs and the weight 1,
// or 0 if its label is ignored or its step is masked. stats[0] sums losses, stats[1] weights; the mean is their ratio.
//
//	element-wise losses   one place a record, the mean over its outputs (with a mask, one place a step)
//	distribution losses   one place for each position before the last axis
type lossDef struct {
	kind   string
	logits bool
	delta  float32
	smooth float64
	ignore *int32

	places, width int
	labels        bool // targets are integer labels
	classes       int
	target        targetForm
	masked        bool
	extra         int // sums of its own, behind the first two
}

// targetForm says how labels become the numbers that an element-wise loss compares with.
type targetForm uint8

const (
	asGiven  targetForm = iota // floats
	asIndex                    // distribution losses read the label itself
	asNumber                   // the label is the number
	asSign                     // hinge: label 0 is -1, label 1 is 1
	asOneHot                   // 1 at the label, 0 (hinge: -1) elsewhere
)

// distribution reports whether the loss compares distributions over the last axis.
func distribution(kind string) bool { return kind == "cross_entropy" || kind == "kl_divergence" }

// buildLoss checks that the loss, the targets and the output fit.
func buildLoss(l spec.Loss, data Data, out shape) (*lossDef, error) {
	d := &lossDef{kind: l.Type, logits: l.FromLogits == nil || *l.FromLogits, delta: float32(l.Delta),
		smooth: l.LabelSmoothing, labels: data.Classes > 0, classes: data.Classes,
		masked: out.mask && len(out.dims) == 2}
	if d.delta == 0 {
		d.delta = 1
	}
	if l.IgnoreIndex != nil {
		i := int32(*l.IgnoreIndex)
		d.ignore = &i
	}
	var err error
	switch l.Type {
	case "cross_entropy", "kl_divergence":
		err = d.overDistributions(data, out)
	case "mse", "mae", "huber", "hinge", "binary_cross_entropy":
		err = d.overElements(data, out)
	default:
		err = fmt.Errorf("loss: unknown type %q", l.Type)
	}
	return d, err
}

func (d *lossDef) overDistributions(data Data, out shape) error {
	d.width = out.last()
	d.places = out.size() / d.width
	if !d.labels {
		if !slices.Equal(out.dims, data.TargetShape) {
			return fmt.Errorf("loss: %s: the output has shape %v, the target %v", d.kind, out.dims, data.TargetShape)
		}
		return nil
	}
	if d.kind == "kl_divergence" {
		return fmt.Errorf("loss: kl_divergence compares distributions, but the target is labels of shape %v", data.TargetShape)
	}
	d.target = asIndex
	if places := out.dims[:max(len(out.dims)-1, 0)]; !slices.Equal(places, data.TargetShape) {
		return fmt.Errorf("loss: cross_entropy: an output of shape %v wants labels of shape %v, the target has %v",
			out.dims, places, data.TargetShape)
	}
	if d.width < d.classes {
		return fmt.Errorf("loss: cross_entropy: the output of shape %v has %d classes, the dataset %d",
			out.dims, d.width, d.classes)
	}
	return nil
}

func (d *lossDef) overElements(data Data, out shape) error {
	d.places, d.width = 1, out.size()
	if d.masked {
		d.places, d.width = out.dims[0], out.dims[1]
	}
	switch {
	case !d.labels && out.size() == volume(data.TargetShape):
		return nil
	case d.labels && out.size() == volume(data.TargetShape):
		d.target = asNumber
		if d.kind == "hinge" {
			d.target = asSign
		}
		if data.Classes > 2 && (d.kind == "hinge" || d.kind == "binary_cross_entropy") {
			return fmt.Errorf("loss: %s: an output of shape %v tells 2 classes apart, the dataset has %d",
				d.kind, out.dims, data.Classes)
		}
		return nil
	case d.labels && out.last() == data.Classes && out.size()/out.last() == volume(data.TargetShape):
		d.target = asOneHot
		return nil
	}
	return fmt.Errorf("loss: %s: the output has shape %v, the target %v", d.kind, out.dims, data.TargetShape)
}

// numLabels is the number of labels of one record.
func (d *lossDef) numLabels() int {
	switch d.target {
	case asIndex:
		return d.places
	case asOneHot:
		return d.places * d.width / d.classes
	}
	return d.places * d.width
}

// check compares a batch's targets with what the loss wants.
func (d *lossDef) check(b Batch) error {
	if !d.labels {
		if want := b.N * d.places * d.width; len(b.Y) != want {
			return &BatchError{"target values", len(b.Y), want}
		}
		return nil
	}
	per := d.numLabels()
	if len(b.Labels) != b.N*per {
		return &BatchError{"labels", len(b.Labels), b.N * per}
	}
	if len(b.Others) != len(b.Shares) || len(b.Shares) != 0 && (len(b.Shares) != len(b.Labels) || d.target == asSign) {
		return &BatchError{"mixed labels", len(b.Shares), len(b.Labels)}
	}
	for i, l := range b.Others {
		if l < 0 || int(l) >= d.classes {
			return &RecordError{Index: i / per, Err: fmt.Errorf("label %d is outside the %d classes", l, d.classes)}
		}
	}
	for i, l := range b.Labels {
		if (l < 0 || int(l) >= d.classes) && (d.target != asIndex || d.ignore == nil || l != *d.ignore) {
			return &RecordError{Index: i / per, Err: fmt.Errorf("label %d is outside the %d classes", l, d.classes)}
		}
	}
	return nil
}

// lossUnit is the loss in one Pass.
type lossUnit struct {
	*lossDef
	own     []float32 // room for targets as floats, where the loss wants them and labels come
	y       []float32 // the last run's targets as floats, if it had any
	scratch []float32 // a gradient that nobody asked for
	each    []float32 // losses or logarithms of single elements
	weights []float32 // the target of one place
	skip    []bool    // places without weight, of the last run
}

func (d *lossDef) newUnit(p *plan) *lossUnit {
	u := &lossUnit{lossDef: d, scratch: p.floats(d.places * d.width),
		each: p.floats(d.places * d.width), weights: make([]float32, d.width), skip: make([]bool, p.rows*d.places)}
	if d.target >= asNumber {
		u.own = p.floats(d.places * d.width)
	}
	return u
}

// run adds the losses of the outputs y to stats and, if dy is not nil, sets it to the gradient of their sum. It keeps
// the targets and the skipped places for the metrics.
func (u *lossUnit) run(c *call, dy, y []float32, b Batch, stats []float64) {
	u.mark(c, b)
	u.y = b.Y
	if u.target >= asNumber {
		u.spread(b)
		u.y = u.own[:len(y)]
	}
	grad := dy
	if grad == nil {
		grad = u.scratch[:len(y)]
	}
	switch u.kind {
	case "cross_entropy":
		u.crossEntropy(grad, y, b, stats)
	case "kl_divergence":
		u.klDivergence(grad, y, stats)
	default:
		u.elementwise(grad, y, stats)
	}
}

// mark notes which places do not count.
func (u *lossUnit) mark(c *call, b Batch) {
	skip := u.skip[:c.n*u.places]
	clear(skip)
	if u.masked {
		for i := range skip {
			skip[i] = !c.mask[i]
		}
	}
	if u.ignore != nil && u.target == asIndex {
		for i, l := range b.Labels {
			skip[i] = skip[i] || l == *u.ignore
		}
	}
}

// spread writes labels as floats to u.own.
func (u *lossUnit) spread(b Batch) {
	low := float32(0)
	if u.kind == "hinge" {
		low = -1
	}
	for i, l := range b.Labels {
		switch u.target {
		case asNumber:
			u.own[i] = float32(l)
			if len(b.Shares) > 0 {
				u.own[i] = mixed(b.Shares[i], float32(l), float32(b.Others[i]))
			}
		case asSign:
			u.own[i] = float32(2*l - 1)
		case asOneHot:
			row := u.own[i*u.classes : (i+1)*u.classes]
			for j := range row {
				row[j] = low
			}
			row[l] = 1
			if len(b.Shares) > 0 && b.Others[i] != l {
				row[l], row[b.Others[i]] = mixed(b.Shares[i], 1, low), mixed(b.Shares[i], low, 1)
			}
		}
	}
}

// mixed: share*a + (1-share)*b.
func mixed(share, a, b float32) float32 { return float32(share*a) + float32((1-share)*b) }
