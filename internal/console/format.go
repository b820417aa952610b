package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Format is how a command prints its data. It is a pflag.Value.
type Format string

// The formats.
const (
	Table Format = "table" // for people
	Wide  Format = "wide"  // a table with every column
	JSON  Format = "json"
	YAML  Format = "yaml"
	Name  Format = "name" // only what names the things, one a line
)

// Formats lists the formats, in the order of their use.
var Formats = []string{string(Table), string(Wide), string(JSON), string(YAML), string(Name)}

// String returns the format's name.
func (f *Format) String() string { return string(*f) }

// Set takes a format by its name.
func (f *Format) Set(s string) error {
	if !slices.Contains(Formats, s) {
		return fmt.Errorf("want one of %s", strings.Join(Formats, ", "))
	}
	*f = Format(s)
	return nil
}

// Type is the word that stands for a value in help texts.
func (f *Format) Type() string { return "format" }

// WriteJSON writes v as indented JSON.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// WriteYAML writes v as YAML with the keys, the order and the values of its JSON.
func WriteYAML(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	doc, err := node(d)
	if err != nil {
		return fmt.Errorf("turn JSON into YAML: %w", err)
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return e.Close()
}

// node turns the next JSON value into YAML. The YAML package's own reading of JSON text loses some white space in
// strings.
func node(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		return collection(d, v)
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v}, nil
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	default: // a json.Number or a bool
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v)}, nil
	}
}

// flowLimit is the number of scalars up to which a list stands on one line.
const flowLimit = 8

// collection turns the rest of a JSON object or array into YAML.
func collection(d *json.Decoder, open json.Delim) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	if open == '{' {
		n.Kind = yaml.MappingNode
	}
	short := n.Kind == yaml.SequenceNode
	for d.More() {
		item, err := node(d)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, item)
		short = short && item.Kind == yaml.ScalarNode && len(n.Content) <= flowLimit
	}
	if short || len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	_, err := d.Token() // the closing one
	return n, err
}
