package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// err orders the faults by place and returns the first of them as one error, nil if there are none.
func (d *document) err() error {
	slices.SortStableFunc(d.faults, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), strings.Compare(a.Msg, b.Msg))
	})
	faults := slices.CompactFunc(d.faults, func(a, b *Error) bool { return *a == *b })
	var errs []error
	for _, e := range faults[:min(len(faults), maxErrors)] {
		if hint := d.hints[e]; hint != nil {
			e.Hint = hint()
		}
		errs = append(errs, e)
	}
	if more := len(faults) - maxErrors; more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// fault notes an error at a node.
func (d *document) fault(n *yaml.Node, msg, hint string) *Error {
	e := d.at(n, msg, hint)
	d.faults = append(d.faults, e)
	return e
}

// hintLater has the hint of a fault made when it is shown: a search among many words, for a few of many faults.
func (d *document) hintLater(e *Error, hint func() string) {
	if d.hints == nil {
		d.hints = map[*Error]func() string{}
	}
	d.hints[e] = hint
}

// at is an error at a node.
func (d *document) at(n *yaml.Node, msg, hint string) *Error {
	e := d.whole(msg, hint)
	if n != nil && n.Line > 0 && n.Line <= len(d.lines) {
		e.Line, e.Col, e.Source = n.Line, n.Column, d.lines[n.Line-1]
	}
	return e
}

// whole is an error of the file as a whole.
func (d *document) whole(msg, hint string) *Error {
	return &Error{File: d.file, Msg: msg, Hint: hint}
}

// faultKey notes an error at the key of the value at ptr, or at the value if it has no key. What was not written but
// filled in has the place of what encloses it.
func (d *document) faultKey(ptr, msg, hint string) *Error {
	p := d.place(ptr)
	return d.fault(or(p.key, p.value), msg, hint)
}

// faultValue notes an error at a value: at itself if it is a scalar or a list's item, else at its key.
func (d *document) faultValue(ptr, msg, hint string) *Error {
	if p, ok := d.places[ptr]; ok && p.value.Kind == yaml.ScalarNode {
		return d.fault(p.value, msg, hint)
	}
	return d.faultKey(ptr, msg, hint)
}

// place finds the place of the value at ptr, or of the nearest value around it that was written.
func (d *document) place(ptr string) place {
	for {
		if p, ok := d.places[ptr]; ok {
			return p
		}
		i := strings.LastIndexByte(ptr, '/')
		if i < 0 {
			return place{}
		}
		ptr = ptr[:i]
	}
}

// subject names the value at ptr as its writer knows it: "units", or "shape"[0].
func (d *document) subject(ptr string) string {
	up, last := cut(ptr)
	if p, ok := d.places[ptr]; ok && p.key != nil {
		return fmt.Sprintf("%q", p.key.Value)
	}
	if ptr == "" {
		return "the file"
	}
	if p, ok := d.places[up]; ok && p.value != nil {
		return fmt.Sprintf("%s[%s]", d.subject(up), last)
	}
	return fmt.Sprintf("%q", last)
}

// cut splits a JSON pointer into the pointer of what encloses the value, and the value's key or index.
func cut(ptr string) (up, last string) {
	i := strings.LastIndexByte(ptr, '/')
	if i < 0 {
		return "", ""
	}
	return ptr[:i], unescapeToken.Replace(ptr[i+1:])
}
