package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"lockstep/internal/spec"
)

// arrayLabels are the targets of a dataset of arrays. The first files settle the classes.
type arrayLabels struct {
	kind    string  // number | category; "": category where each is a single whole number, number otherwise
	classes []int64 // in class order; nil until settled, and for numbers
}

func newArrayLabels(t *spec.Target) arrayLabels {
	if t == nil {
		return arrayLabels{}
	}
	return arrayLabels{kind: t.Type}
}

// names returns the labels in class order.
func (l *arrayLabels) names() []string {
	var names []string
	for _, v := range l.classes {
		names = append(names, strconv.FormatInt(v, 10))
	}
	return names
}

// arrayReader decodes array files: inputs, and labels or other targets.
type arrayReader interface{ classNames() []string }

func (r *idxReader) classNames() []string { return r.labels.names() }

// readPair reads the arrays that files names as images and labels.
func readPair(files spec.Files, format string, l *arrayLabels, array func(name string) (*array, error), lim limits) (*part, error) {
	if files.Images == "" {
		return nil, fmt.Errorf(`an %s dataset names its files as "images" and "labels"`, format)
	}
	images, err := array(files.Images)
	if err != nil {
		return nil, err
	}
	if files.Labels == "" {
		return l.part(images, nil, lim)
	}
	labels, err := array(files.Labels)
	if err != nil {
		return nil, err
	}
	return l.part(images, labels, lim)
}

// part puts inputs and their targets together; without targets a record is its own.
func (l *arrayLabels) part(images, labels *array, lim limits) (*part, error) {
	p := numericPart(newArrayRecords(images))
	if labels == nil {
		if l.kind != "" {
			return nil, &RecordError{File: images.path, Err: errors.New("its records have no labels, and the target says what they are")}
		}
		return p, nil
	}
	if labels.n != images.n {
		return nil, &RecordError{File: labels.path, Err: fmt.Errorf("%d labels for the %d records of %s", labels.n, images.n, images.path)}
	}
	var err error
	p.targets, err = l.targets(labels, lim)
	return p, err
}

// targets makes class numbers of categories, and numbers of everything else.
func (l *arrayLabels) targets(a *array, lim limits) (targets, error) {
	switch {
	case l.kind == "number" || l.kind == "" && (a.elements > 1 || !a.element.integer):
		return a.targets()
	case a.elements > 1:
		return targets{}, &RecordError{File: a.path, Err: fmt.Errorf("labels of %s numbers, a category is a single one: say target: {type: number}", product(a.dims))}
	}
	if l.classes == nil {
		if err := l.settle(a, lim); err != nil {
			return targets{}, err
		}
	}
	t := targets{labels: make([]int32, a.n)}
	for i := range t.labels {
		label, err := a.label(i)
		if err != nil {
			return targets{}, err
		}
		k, ok := slices.BinarySearch(l.classes, label)
		if !ok {
			return targets{}, &RecordError{File: a.path, Record: i + 1, Err: fmt.Errorf("label %d is not among the classes of the training files", label)}
		}
		t.labels[i] = int32(k)
	}
	return t, nil
}

// settle collects the different labels.
func (l *arrayLabels) settle(a *array, lim limits) error {
	found := map[int64]bool{}
	for i := range a.n {
		label, err := a.label(i)
		if err != nil {
			return err
		}
		if found[label] = true; len(found) > lim.values {
			return &RecordError{File: a.path, Record: i + 1, Err: fmt.Errorf("more than %d different labels: if they are numbers, say target: {type: number}", lim.values)}
		}
	}
	for v := range found {
		l.classes = append(l.classes, v)
	}
	slices.Sort(l.classes)
	return nil
}

// targets are all the elements, as numbers.
func (a *array) targets() (targets, error) {
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

// label is the class that record i, a single number, names.
func (a *array) label(i int) (int64, error) {
	var v float64
	if err := a.with(i, func(rec []byte) { v = a.number(rec, 0) }); err != nil {
		return 0, err
	}
	fault := func(what string) error { return &RecordError{File: a.path, Record: i + 1, Err: errors.New(what)} }
	switch {
	case v != math.Trunc(v):
		return 0, fault(fmt.Sprintf("label %v is not a whole number, which a category is", v))
	case math.Abs(v) > 1<<53:
		return 0, fault(fmt.Sprintf("label %.0f is too large", v))
	}
	return int64(v), nil
}
