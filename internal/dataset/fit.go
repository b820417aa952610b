package dataset

import (
	"fmt"
	"slices"
)

// impute settles what missing numbers become, from the training split's records, and puts it in their places.
func (r *tableReader) impute(parts []*part, train []int32) error {
	slot := 0
	for _, c := range r.features {
		if c.missing == "mean" || c.missing == "median" {
			if err := c.settleFill(parts[0].records.(*tableRecords), slot, train); err != nil {
				return err
			}
			for _, p := range parts {
				if err := p.records.(*tableRecords).fill(slot, float32(c.fill)); err != nil {
					return err
				}
			}
		}
		slot += c.slots()
	}
	return nil
}

// settleFill computes a mean or median in float64, over the numbers that there are, in record order.
func (c *column) settleFill(t *tableRecords, slot int, train []int32) error {
	var there []float32 // kept for a median
	sum, n := 0.0, 0
	for _, i := range train {
		if err := t.with(int(i), func(row tableRow) {
			v := row.at(slot)
			if v != v {
				return
			}
			if sum, n = sum+float64(v), n+1; c.missing == "median" {
				there = append(there, v)
			}
		}); err != nil {
			return err
		}
	}
	if n == 0 {
		return &RecordError{File: t.path, Err: fmt.Errorf("column %q has no number in the training split to take the %s of", c.name, c.missing)}
	}
	if c.fill = sum / float64(n); c.missing == "median" {
		slices.Sort(there)
		c.fill = (float64(there[(n-1)/2]) + float64(there[n/2])) / 2
	}
	return nil
}

func (t *tableRecords) fill(slot int, value float32) error {
	return t.update(func(row tableRow) {
		if v := row.at(slot); v != v {
			row.set(slot, value)
		}
	})
}

// fit settles the preprocessing of the columns themselves.
func (r *tableReader) fit(s sample) ([]Column, steps) {
	columns := make([]Column, len(r.features))
	own := step{a: make([]float64, s.channels), b: slices.Repeat([]float64{1}, s.channels)}
	var mean, std, least, extent []float64
	k := 0 // channels so far
	for i, c := range r.features {
		columns[i] = Column{Name: c.name, Type: "category", Missing: c.missing, Values: c.values.names}
		if c.bucket {
			columns[i].Unknown = "bucket"
		}
		if c.category {
			if c.id {
				columns[i].Encoding = "id"
			}
			continue
		}
		columns[i].Type, columns[i].Preprocessing, columns[i].Shape, columns[i].Fill = "number", c.fit, c.dims, c.fill
		channels := min(c.width, s.channels)
		switch c.fit {
		case "standardize":
			if mean == nil {
				mean, std = s.moments(nil)
			}
			copy(own.a[k:k+channels], mean[k:])
			copy(own.b[k:k+channels], std[k:])
		case "min_max":
			if least == nil {
				least, extent = s.bounds()
			}
			copy(own.a[k:k+channels], least[k:])
			copy(own.b[k:k+channels], extent[k:])
		}
		switch {
		case c.fit == "":
		case c.dims != nil:
			columns[i].Centers, columns[i].Scales = slices.Clone(own.a[k:k+channels]), slices.Clone(own.b[k:k+channels])
		default:
			columns[i].Center, columns[i].Scale = own.a[k], own.b[k]
		}
		k += channels
	}
	if mean == nil && least == nil {
		return columns, nil
	}
	return columns, steps{own}
}
