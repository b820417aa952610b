package spec

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed job.schema.json
var schemaText []byte

const schemaURL = "urn:lockstep:v1:job"

// Schema returns the JSON Schema (draft 2020-12) of a specification, for editors and other tools. It knows this
// package's own spellings, not those of other frameworks that Parse accepts too.
func Schema() []byte { return bytes.Clone(schemaText) }

// A schema is the compiled schema with an index of its parts.
type schema struct {
	root *jsonschema.Schema
	at   map[string]*jsonschema.Schema // by location
}

var compiled = sync.OnceValue(func() *schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		panic(err) // the schema is part of the program
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaURL, doc); err != nil {
		panic(err)
	}
	s := &schema{root: c.MustCompile(schemaURL), at: map[string]*jsonschema.Schema{}}
	s.index(s.root)
	return s
})

// index enters sch and all that it refers to.
func (s *schema) index(sch *jsonschema.Schema) {
	if sch == nil || s.at[sch.Location] != nil {
		return
	}
	s.at[sch.Location] = sch
	for _, p := range sch.Properties {
		s.index(p)
	}
	for _, p := range sch.AllOf {
		s.index(p)
	}
	if more, ok := sch.AdditionalProperties.(*jsonschema.Schema); ok {
		s.index(more)
	}
	for _, p := range []*jsonschema.Schema{sch.Ref, sch.Items2020, sch.If, sch.Then, sch.Else} {
		s.index(p)
	}
}

// titled finds the part at a location, or else the nearest part around it that has a title.
func (s *schema) titled(location string) *jsonschema.Schema {
	for location != "" {
		if sch := s.at[location]; sch != nil && sch.Title != "" {
			return sch
		}
		location = location[:max(0, strings.LastIndexByte(location, '/'))]
	}
	return s.root
}

// words gives the values of the enumeration $defs/name.
func (s *schema) words(name string) []string {
	return enumWords(s.at[schemaURL+"#/$defs/"+name])
}

func enumWords(sch *jsonschema.Schema) []string {
	var words []string
	for _, v := range sch.Enum.Values {
		if w, ok := v.(string); ok {
			words = append(words, w)
		}
	}
	return words
}

func activations() []string { return compiled().words("activation") }

// fill adds to the object v, and to what is in it, the properties that are absent and for which missing has a value.
// It follows the parts of the schema that apply to v.
func fill(sch *jsonschema.Schema, v any, missing func(parent *jsonschema.Schema, name string) (any, bool)) {
	switch v := v.(type) {
	case map[string]any:
		for name, p := range sch.Properties {
			if _, ok := v[name]; !ok {
				value, ok := missing(sch, name)
				if !ok {
					continue
				}
				v[name] = value
			}
			fill(p, v[name], missing)
		}
	case []any:
		if sch.Items2020 != nil {
			for _, item := range v {
				fill(sch.Items2020, item, missing)
			}
		}
	default:
		return
	}
	if sch.Ref != nil {
		fill(sch.Ref, v, missing)
	}
	for _, p := range sch.AllOf {
		fill(p, v, missing)
	}
	if sch.If != nil {
		branch := sch.Else
		if sch.If.Validate(v) == nil {
			branch = sch.Then
		}
		if branch != nil {
			fill(branch, v, missing)
		}
	}
}

// schemaDefault is the default that the schema gives a property, as a value of its own.
func schemaDefault(parent *jsonschema.Schema, name string) (any, bool) {
	for p := parent.Properties[name]; p != nil; p = p.Ref {
		if p.Default != nil {
			return clone(*p.Default), true
		}
	}
	return nil, false
}

// schemaZero is the zero of a number or switch that has a default or has to be given: encoding/json leaves zeros out,
// and a reader would take the default.
func schemaZero(parent *jsonschema.Schema, name string) (any, bool) {
	if _, ok := schemaDefault(parent, name); !ok && !slices.Contains(parent.Required, name) {
		return nil, false
	}
	for p := parent.Properties[name]; p != nil; p = p.Ref {
		if p.Types == nil {
			continue
		}
		switch p.Types.ToStrings()[0] {
		case "number", "integer":
			return json.Number("0"), true
		case "boolean":
			return false, true
		}
	}
	return nil, false
}

// clone copies a JSON value.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[k] = clone(x)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, x := range v {
			l[i] = clone(x)
		}
		return l
	}
	return v
}
