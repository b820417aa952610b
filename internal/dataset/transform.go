package dataset

import (
	"fmt"
	"math"
	"slices"

	"lockstep/internal/spec"
)

// step is one preprocessing step over C channels: the last axis of the input, or the number columns of a table.
type step struct {
	affine bool      // x*b[c] + a[c]; otherwise (x-a[c]) / b[c]
	a, b   []float64 // C each
}

// steps is a preprocessing with all its numbers settled.
type steps []step

// apply preprocesses one number of channel c.
func (p steps) apply(x float64, c int) float64 {
	for i := range p {
		s := &p[i]
		if s.affine {
			x = float64(x*s.b[c]) + s.a[c]
		} else {
			x = (x - s.a[c]) / s.b[c]
		}
	}
	return x
}

// uniform reports whether every channel is treated alike.
func (p steps) uniform() bool {
	differ := func(v []float64) bool {
		return slices.ContainsFunc(v, func(x float64) bool { return math.Float64bits(x) != math.Float64bits(v[0]) })
	}
	for _, s := range p {
		if differ(s.a) || differ(s.b) {
			return false
		}
	}
	return true
}

// sample is what a preprocessing is fitted to: the training split, in record order.
type sample struct {
	records  func(yield func(record []float64) bool) // the numbers of each record as decoded, channel by channel
	channels int
	err      *error // why records ended early; nil: it did not
}

// moments returns the population mean and standard deviation of each channel after the steps p, in float64 and in
// record order. The deviation of a constant is given as 1.
func (s sample) moments(p steps) (mean, std []float64) {
	mean, std = make([]float64, s.channels), make([]float64, s.channels)
	n := 0
	for r := range s.records {
		for j, x := range r {
			mean[j%s.channels] += p.apply(x, j%s.channels)
		}
		n += len(r) / s.channels
	}
	for c := range mean {
		mean[c] /= float64(n)
	}
	for r := range s.records {
		for j, x := range r {
			d := p.apply(x, j%s.channels) - mean[j%s.channels]
			std[j%s.channels] += float64(d * d)
		}
	}
	for c := range std {
		if std[c] = math.Sqrt(std[c] / float64(n)); std[c] == 0 {
			std[c] = 1
		}
	}
	return mean, std
}

// bounds returns the least value of each channel and its distance to the greatest, or 1 for a constant.
func (s sample) bounds() (least, extent []float64) {
	least, extent = slices.Repeat([]float64{math.Inf(1)}, s.channels), slices.Repeat([]float64{math.Inf(-1)}, s.channels)
	for r := range s.records {
		for j, x := range r {
			c := j % s.channels
			least[c], extent[c] = min(least[c], x), max(extent[c], x)
		}
	}
	for c := range extent {
		if extent[c] -= least[c]; extent[c] == 0 {
			extent[c] = 1
		}
	}
	return least, extent
}

// fit settles a preprocessing list after the steps before it. It returns all the steps, and the list with the fitted
// numbers in it.
func (s sample) fit(before steps, list []spec.Preprocessor) (steps, []spec.Preprocessor, error) {
	all, fitted := slices.Clone(before), slices.Clone(list)
	for i := range fitted {
		f := &fitted[i]
		switch f.Type {
		case "rescale":
			all = append(all, step{affine: true, a: slices.Repeat([]float64{f.Offset}, s.channels), b: slices.Repeat([]float64{f.Scale}, s.channels)})
		case "standardize":
			if len(f.Mean) == 0 && len(f.Std) == 0 {
				f.Mean, f.Std = s.moments(all)
			}
			mean, err := s.spread("mean", f.Mean)
			if err != nil {
				return nil, nil, err
			}
			std, err := s.spread("std", f.Std)
			if err != nil {
				return nil, nil, err
			}
			all = append(all, step{a: mean, b: std})
		default:
			return nil, nil, fmt.Errorf("preprocessing %q is not supported yet", f.Type)
		}
	}
	return all, fitted, nil
}

// spread gives each channel its number; one number is for all.
func (s sample) spread(name string, v []float64) ([]float64, error) {
	switch len(v) {
	case s.channels:
		return v, nil
	case 1:
		return slices.Repeat(v, s.channels), nil
	}
	return nil, fmt.Errorf("preprocessing standardize: %d numbers for %s, want 1 or %d", len(v), name, s.channels)
}
