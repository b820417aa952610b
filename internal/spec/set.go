package spec

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Set changes one value of a specification's text: path is keys and list indexes joined by dots, such as
// spec.model.layers.0.units (a backslash before a dot makes it part of a key), and value is YAML. Missing maps are
// made; the index after a list's last appends to it; the value null removes what is there. What is not changed keeps its
// comments, and where one scalar takes another's place also its line.
func Set(text []byte, path, value string) ([]byte, error) {
	e := edit{path: path, keys: splitPath(path)}
	return e.apply(text, value)
}

// An edit is one call of Set.
type edit struct {
	path string
	keys []string
}

func (e *edit) apply(text []byte, value string) ([]byte, error) {
	if len(text)+len(value) > maxText {
		return nil, e.errorf("the specification is larger than %d bytes", maxText)
	}
	top, err := nodes("specification", text)
	if err != nil {
		return nil, e.errorf("%w", err)
	}
	root := &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{top}}
	with, err := e.value(value)
	if err != nil {
		return nil, err
	}
	old, err := e.replace(root, with)
	if err != nil {
		return nil, err
	}
	out, err := render(root)
	if err != nil {
		return nil, e.errorf("%w", err)
	}
	if _, err := nodes("result", out); err != nil {
		return nil, e.errorf("something else refers to what was here: %w", err)
	}
	if old != nil {
		if short, ok := splice(text, old, with, out); ok {
			return short, nil
		}
	}
	return out, nil
}

func (e *edit) errorf(format string, args ...any) error {
	return fmt.Errorf("set %s: "+format, append([]any{e.path}, args...)...)
}

// nodes reads a text that is one YAML document; name stands for it in errors.
func nodes(name string, text []byte) (*yaml.Node, error) {
	d := &document{file: name, lines: splitLines(text)}
	return d.decode(text)
}

// value reads the new value.
func (e *edit) value(value string) (*yaml.Node, error) {
	if strings.TrimSpace(value) == "" {
		return nil, e.errorf("no value: write null to remove what is there, or '\"\"' for an empty text")
	}
	n, err := nodes("value", []byte(value))
	if err != nil {
		return nil, e.errorf("%w", err)
	}
	return n, nil
}

// replace puts with at the edit's path under root, or removes what is there if with is null. It returns the node whose
// place with took, nil if there was none.
func (e *edit) replace(root, with *yaml.Node) (*yaml.Node, error) {
	parent, at := root, &root.Content[0]
	for i, key := range e.keys {
		if key == "" {
			return nil, e.errorf("the path has an empty part")
		}
		own(at)
		next, err := e.step(*at, key, strings.Join(e.keys[:i], "."))
		if err != nil {
			return nil, err
		}
		parent, at = *at, next
	}
	old := *at
	if with.Kind == yaml.ScalarNode && with.ShortTag() == "!!null" {
		remove(parent, at)
		return nil, nil
	}
	if with.Anchor == "" {
		with.Anchor = old.Anchor
	}
	if with.LineComment == "" && with.HeadComment == "" && with.FootComment == "" {
		with.LineComment, with.HeadComment, with.FootComment = old.LineComment, old.HeadComment, old.FootComment
	}
	*at = with
	if old.Line == 0 {
		return nil, nil
	}
	return old, nil
}

// remove takes the value at out of its map, with its key, or out of its list.
func remove(parent *yaml.Node, at **yaml.Node) {
	for i := range parent.Content {
		if &parent.Content[i] != at {
			continue
		}
		from := i
		if parent.Kind == yaml.MappingNode {
			from = i - 1
		}
		parent.Content = append(parent.Content[:from:from], parent.Content[i+1:]...)
		return
	}
}

// step finds the place of key in the map or list n, or makes one. done is the path to n.
func (e *edit) step(n *yaml.Node, key, done string) (**yaml.Node, error) {
	if done == "" {
		done = "the file"
	}
	switch {
	case n.Kind == yaml.SequenceNode:
		return e.item(n, key, done)
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", HeadComment: n.HeadComment, LineComment: n.LineComment, FootComment: n.FootComment}
	case n.Kind != yaml.MappingNode:
		return nil, e.errorf("%s is %s, it has no %q", done, n.Value, key)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == key {
			return &n.Content[i+1], nil
		}
	}
	name := new(yaml.Node)
	name.SetString(key)
	n.Content = append(n.Content, name, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"})
	return &n.Content[len(n.Content)-1], nil
}

// item finds the place of an index in a list, or makes one after the last.
func (e *edit) item(n *yaml.Node, key, done string) (**yaml.Node, error) {
	i, err := strconv.Atoi(key)
	if err != nil {
		return nil, e.errorf("%s is a list: %q must be an index from 0 to %d", done, key, len(n.Content))
	}
	if i < 0 || i > len(n.Content) {
		return nil, e.errorf("%s has %d items: the index %d must be from 0 to %d", done, len(n.Content), i, len(n.Content))
	}
	if i == len(n.Content) {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"})
	}
	return &n.Content[i], nil
}

// own replaces an alias by a copy of what it stands for, so that a change through it changes nothing else.
func own(at **yaml.Node) {
	for (*at).Kind == yaml.AliasNode {
		*at = copyNode((*at).Alias)
	}
}

// copyNode copies a node and what is in it, without anchors.
func copyNode(n *yaml.Node) *yaml.Node {
	c := *n
	c.Anchor = ""
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, x := range n.Content {
		c.Content[i] = copyNode(x)
	}
	return &c
}

// nameNulls writes out the nulls inside flow collections, where the encoder would turn nothing into an empty text.
func nameNulls(n *yaml.Node, flow bool) {
	if flow && n.Kind == yaml.ScalarNode && n.Value == "" && n.ShortTag() == "!!null" {
		n.Value = "null"
	}
	for i, x := range n.Content {
		if key := n.Kind == yaml.MappingNode && i%2 == 0; !key {
			nameNulls(x, flow || n.Style&yaml.FlowStyle != 0)
		}
	}
}

// render writes a document with two spaces of indentation.
func render(root *yaml.Node) ([]byte, error) {
	nameNulls(root, false)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("encode specification: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("encode specification: %w", err)
	}
	return b.Bytes(), nil
}

// splice puts a scalar's new text into the place of the old one, and reports whether that means the same as the
// rendered text: only then may it stand for it.
func splice(text []byte, old, with *yaml.Node, rendered []byte) ([]byte, bool) {
	if old.Kind != yaml.ScalarNode || with.Kind != yaml.ScalarNode || old.Line == 0 {
		return nil, false
	}
	bare := *with
	bare.HeadComment, bare.LineComment, bare.FootComment = "", "", ""
	word, err := yaml.Marshal(&bare)
	if err != nil {
		return nil, false
	}
	word = bytes.TrimSuffix(word, []byte("\n"))
	lines := bytes.SplitAfter(text, []byte("\n"))
	if old.Line > len(lines) {
		return nil, false // there are other line breaks
	}
	line := []rune(string(lines[old.Line-1]))
	start := old.Column - 1
	quote := map[yaml.Style]string{yaml.DoubleQuotedStyle: `"`, yaml.SingleQuotedStyle: "'"}[old.Style]
	was := []rune(quote + old.Value + quote)
	if start+len(was) > len(line) || !slices.Equal(line[start:start+len(was)], was) || bytes.Contains(word, []byte("\n")) {
		return nil, false
	}
	lines[old.Line-1] = []byte(string(line[:start]) + string(word) + string(line[start+len(was):]))
	out := bytes.Join(lines, nil)
	return out, sameValue(out, rendered)
}

// sameValue reports whether two YAML texts hold the same values.
func sameValue(a, b []byte) bool {
	da, err := read("", a)
	if err != nil {
		return false
	}
	db, err := read("", b)
	return err == nil && bytes.Equal(encode(da.root), encode(db.root))
}

// splitPath cuts a path at its dots; a backslash takes the next character as it is.
func splitPath(path string) []string {
	keys := []string{""}
	escaped := false
	for _, r := range path {
		switch {
		case !escaped && r == '\\':
			escaped = true
			continue
		case !escaped && r == '.':
			keys = append(keys, "")
			continue
		}
		keys[len(keys)-1] += string(r)
		escaped = false
	}
	return keys
}
