package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	maxText     = 1 << 20 // bytes of a specification
	maxValues   = 50_000  // values in it, aliases expanded
	maxDepth    = 64      // nesting of maps and lists
	maxExpanded = 10_000  // values that aliases may add to a document
)

// A document is a specification's text, read as YAML and turned into JSON values, with the place of each value.
//
//  1. root holds only map[string]any, []any, string, bool, json.Number and nil.
//  2. places has an entry for every value in root, by JSON pointer.
type document struct {
	file   string
	lines  []string
	root   any
	places map[string]place
	faults []*Error
	hints  map[*Error]func() string // of faults, made when they are shown

	values    int // values so far
	expanded  int // of these, values read through aliases
	following int // aliases that are being followed
}

// place is where a value was written. key is nil for the root and for items of a list.
type place struct{ key, value *yaml.Node }

// read parses text, which must be one YAML document of bounded size and depth. Faults that leave nothing to work on
// are returned; others are in the document's faults.
func read(file string, text []byte) (*document, error) {
	d := &document{file: file, places: map[string]place{}}
	if len(text) > maxText {
		return nil, d.whole(fmt.Sprintf("the specification is larger than %d bytes", maxText), "")
	}
	d.lines = splitLines(text)
	top, err := d.decode(text)
	if err != nil {
		return nil, err
	}
	d.root = d.convert(top, "", 0)
	return d, d.err()
}

var lineBreak = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]")

// splitLines cuts text where YAML does, so that its line numbers fit.
func splitLines(text []byte) []string { return lineBreak.Split(string(text), -1) }

// decode reads the one YAML document in text.
func (d *document) decode(text []byte) (*yaml.Node, error) {
	r := &lineReader{rest: text}
	dec := yaml.NewDecoder(r)
	var first, second yaml.Node
	if err := dec.Decode(&first); errors.Is(err, io.EOF) || err == nil && len(first.Content) == 0 {
		return nil, d.whole("the specification is empty", "start from a template")
	} else if err != nil {
		return nil, d.syntax(err, r.lines)
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
		return first.Content[0], nil
	case err != nil:
		return nil, d.syntax(err, r.lines)
	}
	return nil, d.at(&second, "a second YAML document", "put each job into a file of its own")
}

// lineReader hands out one line at a time and counts them: the YAML library reads no further than it must, and its own
// position of some faults is that of the outermost map.
type lineReader struct {
	rest  []byte
	lines int
}

// Read gives the next line, or the part of it for which there is room.
func (r *lineReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := len(r.rest)
	if i := bytes.IndexByte(r.rest, '\n'); i >= 0 {
		n = i + 1
	}
	n = copy(p, r.rest[:n])
	if r.rest[n-1] == '\n' || n == len(r.rest) {
		r.lines++
	}
	r.rest = r.rest[n:]
	return n, nil
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax turns the YAML library's text into an Error; it had read that many lines.
func (d *document) syntax(err error, read int) error {
	m := syntaxLine.FindStringSubmatch(err.Error())
	if m == nil {
		return d.whole(err.Error(), "")
	}
	line, _ := strconv.Atoi(m[1])
	if strings.HasPrefix(m[2], "did not find expected") {
		line = read
	}
	line = min(max(line, 1), len(d.lines))
	e := &Error{File: d.file, Line: line, Col: 1, Msg: "not YAML: " + m[2], Source: d.lines[line-1]}
	e.Col += len(e.Source) - len(strings.TrimLeft(e.Source, " \t"))
	for _, l := range d.lines {
		if strings.HasPrefix(strings.TrimLeft(l, " "), "\t") {
			e.Hint = "indent with spaces: YAML does not allow tabs there"
		}
	}
	return e
}

// convert turns a YAML node into a JSON value and records the places of what is in it.
func (d *document) convert(n *yaml.Node, ptr string, depth int) any {
	if depth > maxDepth {
		d.fault(n, fmt.Sprintf("nested more than %d levels deep", maxDepth), "")
		return nil
	}
	if d.following > 0 && !d.expand(n) {
		return nil
	}
	if d.values++; d.values > maxValues {
		if d.values == maxValues+1 {
			d.fault(n, fmt.Sprintf("the specification has more than %d values", maxValues), "")
		}
		return nil
	}
	if _, ok := d.places[ptr]; !ok {
		d.places[ptr] = place{value: n}
	}
	switch n.Kind {
	case yaml.AliasNode:
		d.following++
		defer func() { d.following-- }()
		return d.convert(n.Alias, ptr, depth+1)
	case yaml.MappingNode:
		return d.mapping(n, ptr, depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, item := range n.Content {
			list = append(list, d.convert(item, ptr+"/"+strconv.Itoa(i), depth+1))
		}
		return list
	}
	return d.scalar(n)
}

// expand counts a value that an alias adds, and reports whether there may be one more.
func (d *document) expand(n *yaml.Node) bool {
	d.expanded++
	if d.expanded == maxExpanded+1 {
		d.fault(n, "aliases expand to too many values", "")
	}
	return d.expanded <= maxExpanded
}

var oldOctal = regexp.MustCompile(`^[-+]?0[0-9_]+$`)

// scalar converts a YAML scalar. Dates stay text; numbers keep their exact value.
func (d *document) scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err == nil {
			return b
		}
	case "!!int":
		if oldOctal.MatchString(n.Value) {
			d.fault(n, fmt.Sprintf("%s is ambiguous: it starts with 0", n.Value), "leave the 0 out, or write 0o for octal")
			return nil
		}
		var i int64
		var u uint64
		if err := n.Decode(&u); err == nil {
			return json.Number(strconv.FormatUint(u, 10))
		}
		if err := n.Decode(&i); err == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
	case "!!float":
		var f float64
		if err := n.Decode(&f); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return number(f)
		}
		d.fault(n, fmt.Sprintf("%s is not a finite number", n.Value), "")
		return nil
	}
	d.fault(n, fmt.Sprintf("cannot read %q as %s", n.Value, n.ShortTag()), "")
	return nil
}

// number writes f as JSON does: 256.0 and 1e3 look whole, and so may stand for a count.
func number(f float64) json.Number {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // f is finite
	}
	return json.Number(b)
}

var (
	escapeToken   = strings.NewReplacer("~", "~0", "/", "~1")
	unescapeToken = strings.NewReplacer("~1", "/", "~0", "~")
)

// child is the JSON pointer of a map's value.
func child(ptr, key string) string {
	return ptr + "/" + escapeToken.Replace(key)
}
