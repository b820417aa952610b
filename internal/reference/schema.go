package reference

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// part is a part of a JSON Schema, with its keys in their order.
type part struct{ *yaml.Node }

// parse reads a JSON Schema: JSON is YAML, and its nodes keep the order of keys.
func parse(schema []byte) (part, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(schema, &doc); err != nil {
		return part{}, fmt.Errorf("read schema: %w", err)
	}
	return part{doc.Content[0]}, nil
}

// get returns what is under keys, one in the other; its Node is nil if there is nothing.
func (p part) get(keys ...string) part {
	for _, k := range keys {
		if p.Node == nil || p.Kind != yaml.MappingNode {
			return part{}
		}
		at := -1
		for i := 0; i < len(p.Content); i += 2 {
			if p.Content[i].Value == k {
				at = i + 1
			}
		}
		if at < 0 {
			return part{}
		}
		p = part{p.Content[at]}
	}
	return p
}

func (p part) there() bool { return p.Node != nil }

func (p part) text(keys ...string) string {
	if v := p.get(keys...); v.there() {
		return v.Value
	}
	return ""
}

// list is the scalars of a list, or of a single scalar.
func (p part) list() []string {
	if !p.there() {
		return nil
	}
	if p.Kind == yaml.ScalarNode {
		return []string{p.Value}
	}
	var out []string
	for _, c := range p.Content {
		out = append(out, c.Value)
	}
	return out
}

// property is one of an object's properties.
type property struct {
	name     string
	part     part
	required bool
}

func (p part) properties() []property {
	props, required := p.get("properties"), p.get("required").list()
	var out []property
	for i := 0; props.there() && i < len(props.Content); i += 2 {
		name := props.Content[i].Value
		out = append(out, property{name, part{props.Content[i+1]}, slices.Contains(required, name)})
	}
	return out
}

// json writes a default or an example as it stands in a specification.
func (p part) json() string {
	switch {
	case !p.there():
		return ""
	case p.Kind == yaml.ScalarNode:
		return p.Value
	}
	var items []string
	step := 1
	if p.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i < len(p.Content); i += step {
		item := part{p.Content[i+step-1]}.json()
		if step == 2 {
			item = p.Content[i].Value + ": " + item
		}
		items = append(items, item)
	}
	if step == 2 {
		return "{" + strings.Join(items, ", ") + "}"
	}
	return "[" + strings.Join(items, ", ") + "]"
}
