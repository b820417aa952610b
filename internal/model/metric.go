package model

import (
	"fmt"
	"math"
	"slices"

	"lockstep/internal/kernel/f64"
	"lockstep/internal/spec"
)

// meter is one metric: sums over records that are kept in stats[at:at+n], and what follows from them.
//
// Decisions are read off the output in one of two ways. Where the target is one class of several, each place decides
// for its largest output. Elsewhere each element decides yes or no: above the threshold, as a probability, or above 0
// for hinge. Two classes count as yes (class 1) and no.
type meter struct {
	kind    string
	at, n   int
	k       int
	limit   float32 // element-wise: an output above it is a yes
	classes int     // > 0: one class of so many; 0: element-wise
	logits  bool    // outputs are logits
}

// The sums of one class: hits, times predicted, times actual.
const perClass = 3

// addMeter adds the metric m to the network.
func (n *Network) addMeter(m spec.Metric) error {
	d := n.loss
	t := meter{kind: m.Type, at: n.stats, k: m.K, logits: d.logits}
	if distribution(d.kind) || d.target == asOneHot {
		t.classes = n.output.last()
	}
	if slices.ContainsFunc(n.meters, func(o meter) bool { return o.kind == m.Type }) {
		return fmt.Errorf("metrics: %s is there twice", m.Type)
	}
	binary := d.kind == "binary_cross_entropy" || d.kind == "hinge"
	if t.classes == 0 && !binary && slices.Contains([]string{"accuracy", "top_k_accuracy", "precision", "recall", "f1",
		"auc", "confusion_matrix"}, m.Type) {
		return fmt.Errorf("metrics: %s needs classes to tell apart, the loss %s has none", m.Type, d.kind)
	}
	if err := t.setThreshold(m.Threshold, d); err != nil {
		return err
	}
	var err error
	if t.n, err = t.sums(d, n.output); err != nil {
		return err
	}
	n.stats += t.n
	n.meters = append(n.meters, t)
	return nil
}

// setThreshold turns a threshold for probabilities, 0.5 if it is 0, into one for outputs.
func (m *meter) setThreshold(p float64, d *lossDef) error {
	if p == 0 {
		p = 0.5
	}
	if p <= 0 || p >= 1 {
		return fmt.Errorf("metrics: %s: threshold is %v, want between 0 and 1", m.kind, p)
	}
	switch {
	case d.kind == "hinge":
	case d.logits:
		m.limit = float32(f64.Log(p / (1 - p)))
	default:
		m.limit = float32(p)
	}
	return nil
}

// sums is the number of sums that the metric needs.
func (m *meter) sums(d *lossDef, out shape) (int, error) {
	groups := max(m.classes, 2)
	switch m.kind {
	case "accuracy":
		return 2, nil
	case "top_k_accuracy":
		if m.k == 0 {
			m.k = 5
		}
		if m.k < 1 || m.k > m.classes {
			return 0, fmt.Errorf("metrics: top_k_accuracy: k is %d, the output of shape %v has %d classes", m.k, out.dims, m.classes)
		}
		return 2, nil
	case "precision", "recall", "f1":
		return perClass * groups, nil
	case "auc":
		return m.curves() * 2 * aucBins, nil
	case "confusion_matrix":
		return groups * groups, nil
	case "mae", "rmse":
		return 2, m.needsNumbers(d)
	case "r2":
		return 4, m.needsNumbers(d)
	case "perplexity":
		if d.kind != "cross_entropy" {
			return 0, fmt.Errorf("metrics: perplexity needs the loss cross_entropy, not %s", d.kind)
		}
		return 1, nil
	}
	return 0, fmt.Errorf("metrics: unknown type %q", m.kind)
}

func (m *meter) needsNumbers(d *lossDef) error {
	if d.target == asIndex {
		return fmt.Errorf("metrics: %s compares numbers, but the target is classes", m.kind)
	}
	return nil
}

// report adds the metric to out. What would be 0/0 is 0.
func (m *meter) report(sums []float64, out map[string]float64) {
	s := sums[m.at : m.at+m.n]
	switch m.kind {
	case "accuracy", "top_k_accuracy", "mae":
		out[m.kind] = ratio(s[0], s[1])
	case "rmse":
		out[m.kind] = math.Sqrt(ratio(s[0], s[1]))
	case "r2": // 1 - residual/total sum of squares, all outputs together
		total := s[2] - float64(s[1]*s[1])/s[3]
		out[m.kind] = 1 - ratio(s[0], total)
	case "perplexity":
		out[m.kind] = f64.Exp(s[0] / sums[1])
	case "precision", "recall", "f1":
		out[m.kind] = m.perClassMean(s)
	case "auc":
		out[m.kind] = m.area(s)
	case "confusion_matrix":
		g := max(m.classes, 2)
		for i, v := range s {
			out[fmt.Sprintf("confusion_matrix/%d/%d", i/g, i%g)] = v // actual, predicted
		}
	}
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// perClassMean is the figure of class 1 if there are two, else the mean over all classes.
func (m *meter) perClassMean(s []float64) float64 {
	lo, hi := 1, 2
	if m.classes > 2 {
		lo, hi = 0, m.classes
	}
	sum := 0.0
	for c := lo; c < hi; c++ {
		hit, predicted, actual := s[c*perClass], s[c*perClass+1], s[c*perClass+2]
		switch m.kind {
		case "precision":
			sum += ratio(hit, predicted)
		case "recall":
			sum += ratio(hit, actual)
		case "f1":
			sum += ratio(2*hit, predicted+actual)
		}
	}
	return sum / float64(hi-lo)
}
