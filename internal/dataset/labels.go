package dataset

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"lockstep/internal/spec"
)

// labelClasses are the labels of a dataset of arrays in class order. The first files settle them.
type labelClasses []int64

// names returns the labels in class order.
func (c labelClasses) names() []string {
	var names []string
	for _, v := range c {
		names = append(names, strconv.FormatInt(v, 10))
	}
	return names
}

// arrayReader decodes array files: inputs, and labels or other targets.
type arrayReader interface{ labels() labelClasses }

func (r *idxReader) labels() labelClasses { return r.classes }

// readPair reads the arrays that files names as images and labels.
func readPair(files spec.Files, format string, classes *labelClasses, array func(name string) (*array, error), lim limits) (*part, error) {
	if files.Images == "" {
		return nil, fmt.Errorf(`an %s dataset names its files as "images" and "labels"`, format)
	}
	images, err := array(files.Images)
	if err != nil {
		return nil, err
	}
	if files.Labels == "" {
		return classes.part(images, nil, lim)
	}
	labels, err := array(files.Labels)
	if err != nil {
		return nil, err
	}
	return classes.part(images, labels, lim)
}

// part puts inputs and their targets together; without targets a record is its own.
func (c *labelClasses) part(images, labels *array, lim limits) (*part, error) {
	p := numericPart(newArrayRecords(images))
	if labels == nil {
		return p, nil
	}
	if labels.n != images.n {
		return nil, &RecordError{File: labels.path, Err: fmt.Errorf("%d labels for the %d records of %s", labels.n, images.n, images.path)}
	}
	var err error
	p.targets, err = c.targets(labels, lim)
	return p, err
}

// targets makes class numbers of single whole numbers, and numbers of everything else.
func (c *labelClasses) targets(a *array, lim limits) (targets, error) {
	if a.elements > 1 || !a.element.integer {
		t := targets{width: a.elements, y: make([]float32, a.n*a.elements)}
		for i := range a.n {
			if err := a.with(i, func(rec []byte) {
				for j := range a.elements {
					t.y[i*a.elements+j] = float32(a.number(rec, j))
				}
			}); err != nil {
				return targets{}, err
			}
		}
		return t, nil
	}
	if *c == nil {
		if err := c.settle(a, lim); err != nil {
			return targets{}, err
		}
	}
	t := targets{labels: make([]int32, a.n)}
	for i := range t.labels {
		v, err := a.single(i)
		if err != nil {
			return targets{}, err
		}
		label := int64(v)
		k, ok := slices.BinarySearch(*c, label)
		if !ok {
			return targets{}, &RecordError{File: a.path, Record: i + 1, Err: fmt.Errorf("label %d is not among the classes of the training files", label)}
		}
		t.labels[i] = int32(k)
	}
	return t, nil
}

// settle collects the different labels.
func (c *labelClasses) settle(a *array, lim limits) error {
	found := map[int64]bool{}
	for i := range a.n {
		label, err := a.single(i)
		if err != nil {
			return err
		}
		if math.Abs(label) > 1<<53 {
			return &RecordError{File: a.path, Record: i + 1, Err: fmt.Errorf("label %.0f is too large", label)}
		}
		if found[int64(label)] = true; len(found) > lim.values {
			return &RecordError{File: a.path, Record: i + 1, Err: fmt.Errorf("more than %d different labels", lim.values)}
		}
	}
	for v := range found {
		*c = append(*c, v)
	}
	slices.Sort(*c)
	return nil
}

// single is the first element of record i.
func (a *array) single(i int) (v float64, err error) {
	err = a.with(i, func(rec []byte) { v = a.number(rec, 0) })
	return v, err
}
