package spec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// validate checks the document against the schema and notes what is wrong in words.
func (d *document) validate() {
	err := compiled().root.Validate(d.root)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		d.explain(invalid)
	} else if err != nil {
		d.faults = append(d.faults, d.whole(err.Error(), ""))
	}
}

// explain notes the leaves of a validation error.
func (d *document) explain(e *jsonschema.ValidationError) {
	for _, c := range e.Causes {
		d.explain(c)
	}
	if len(e.Causes) > 0 {
		return
	}
	ptr := ""
	for _, t := range e.InstanceLocation {
		ptr = child(ptr, t)
	}
	part := compiled().titled(e.SchemaURL)
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, key := range k.Properties {
			d.unknownKey(ptr, key, compiled().at[e.SchemaURL], part)
		}
	case *kind.Required:
		for _, key := range k.Missing {
			d.missingKey(ptr, key, part)
		}
	case *kind.Enum:
		d.unknownWord(ptr, k.Got, part)
	default:
		d.wrongValue(ptr, part)
	}
}

// unknownKey notes a key that the object at ptr does not have. object lists the keys that it may have, and part, which
// is the same part of the schema or encloses it, names it.
func (d *document) unknownKey(ptr, key string, object, part *jsonschema.Schema) {
	at := child(ptr, key)
	e := d.faultKey(at, fmt.Sprintf("unknown key %s in %s", d.subject(at), d.phrase(ptr, part)), "")
	d.hintLater(e, func() string {
		known := slices.Sorted(maps.Keys(object.Properties))
		for _, hint := range []string{advice[key], didYouMean(key, known), owners(key, part)} {
			if hint != "" {
				return hint
			}
		}
		return "known here: " + strings.Join(known, ", ")
	})
}

// missingKey notes that the object at ptr lacks a key, unless there is one that was meant to be it: then that is the
// fault. It is noted here if part leaves unknown keys to other parts.
func (d *document) missingKey(ptr, key string, part *jsonschema.Schema) {
	object, _ := d.value(ptr).(map[string]any)
	known := slices.Collect(maps.Keys(part.Properties))
	for _, written := range slices.Sorted(maps.Keys(object)) {
		if part.Properties[written] != nil || nearest(written, known) != key {
			continue
		}
		if part.AdditionalProperties != false {
			d.unknownKey(ptr, written, part, part)
		}
		return
	}
	d.faultKey(ptr, fmt.Sprintf("%s needs %q", d.phrase(ptr, part), key), example(part))
}

// owners tells where a key belongs that part does not have, "" if nowhere.
func owners(key string, part *jsonschema.Schema) string {
	var titles, families []string
	for _, p := range compiled().at {
		if p.Properties[key] != nil && p.Title != "" && p.Title != part.Title && p.AdditionalProperties == false {
			titles, families = append(titles, p.Title), append(families, family(p.Title))
		}
	}
	slices.Sort(titles)
	slices.Sort(families)
	titles, families = slices.Compact(titles), slices.Compact(families)
	switch {
	case len(titles) == 0:
		return ""
	case len(titles) > 3 && !slices.Contains(families, family(part.Title)):
		titles = families
	case len(titles) > 3:
		titles = append(titles[:3], "others")
	}
	return fmt.Sprintf("%q belongs to %s", key, alternatives(titles))
}

// unknownWord notes a value that is not one of an enumeration.
func (d *document) unknownWord(ptr string, got any, part *jsonschema.Schema) {
	shown := show(got)
	if word, ok := got.(string); ok {
		shown = strconv.Quote(word)
	} else if _, ok := got.([]any); ok || shown == "" {
		d.wrongValue(ptr, part)
		return
	}
	e := d.faultValue(ptr, fmt.Sprintf("unknown %s %s", noun(part.Title), shown), "")
	d.hintLater(e, func() string {
		known := enumWords(part)
		return or(didYouMean(strings.Trim(shown, `"`), known), "known: "+strings.Join(known, ", "))
	})
}

// wrongValue notes a value that is not what the schema's title says.
func (d *document) wrongValue(ptr string, part *jsonschema.Schema) {
	got := d.value(ptr)
	if got == nil {
		d.faultKey(ptr, d.subject(ptr)+" has no value", "leave the key out, or give it a value")
		return
	}
	msg := fmt.Sprintf("%s must be %s", d.subject(ptr), d.phrase(ptr, part))
	if shown := show(got); shown != "" {
		msg += ", not " + shown
	}
	d.faultValue(ptr, msg, remedy(got, part))
}

// value finds the JSON value at ptr.
func (d *document) value(ptr string) any {
	v := d.root
	for _, t := range strings.Split(ptr, "/")[1:] {
		switch in := v.(type) {
		case map[string]any:
			_, key := cut("/" + t)
			v = in[key]
		case []any:
			i, err := strconv.Atoi(t)
			if err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		}
	}
	return v
}

// phrase names the part of the schema that the value at ptr must be. An object with a type is named by it, "an lstm
// layer", since one part may serve several types.
func (d *document) phrase(ptr string, part *jsonschema.Schema) string {
	object, ok := d.value(ptr).(map[string]any)
	if !ok || part.AdditionalProperties != false {
		return part.Title
	}
	for _, key := range []string{"type", "format"} {
		if name, ok := object[key].(string); ok && part.Properties[key] != nil && part.Properties["column"] == nil {
			return article(name) + " " + name + " " + noun(family(part.Title))
		}
	}
	return part.Title
}
