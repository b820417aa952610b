package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// family is what an object is without its type: a layer, of a dense layer.
func family(title string) string {
	words := strings.Fields(title)
	last := words[len(words)-1]
	return article(last) + " " + last
}

// article is a or an, as the word is spoken.
func article(word string) string {
	spelled := []string{"f1", "lstm", "mae", "mse", "npy", "npz", "r2", "rmsprop", "sgd"}
	if strings.ContainsAny(word[:1], "aeiou") || slices.Contains(spelled, word) {
		return "an"
	}
	return "a"
}

// noun is a title without its article.
func noun(title string) string {
	return strings.TrimPrefix(strings.TrimPrefix(title, "an "), "a ")
}

// show writes a value as an error message shows it.
func show(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) > 60 {
			return "a longer text"
		}
		return fmt.Sprintf("the text %q", v)
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	}
	return "" // a mapping, with something wrong in it
}

// remedy is the hint for a wrong value.
func remedy(got any, part *jsonschema.Schema) string {
	if text, ok := got.(string); ok {
		plain := new(document).scalar(&yaml.Node{Kind: yaml.ScalarNode, Value: text})
		if n, ok := plain.(json.Number); ok && part.Validate(n) == nil {
			return fmt.Sprintf("write %s without quotes", text)
		}
		yes := slices.Contains([]string{"yes", "on", "y"}, strings.ToLower(text))
		no := slices.Contains([]string{"no", "off", "n"}, strings.ToLower(text))
		if yes || no {
			return fmt.Sprintf("write %t", yes)
		}
	}
	return example(part)
}

// example is a hint that shows the part's examples, "" if it has none.
func example(part *jsonschema.Schema) string {
	var shown []string
	for _, e := range part.Examples {
		shown = append(shown, flow(e))
	}
	if len(shown) == 0 {
		return ""
	}
	return "write " + alternatives(shown)
}

// flow writes a JSON value in YAML's flow style.
func flow(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var pairs []string
		for _, k := range keysTypeFirst(v) {
			pairs = append(pairs, k+": "+flow(v[k]))
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	case []any:
		var items []string
		for _, x := range v {
			items = append(items, flow(x))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// keysTypeFirst sorts an object's keys as they are usually written: what it is comes first.
func keysTypeFirst(m map[string]any) []string {
	keys := slices.Sorted(maps.Keys(m))
	for _, first := range []string{"type", "column", "min"} {
		if i := slices.Index(keys, first); i > 0 {
			keys = slices.Insert(slices.Delete(keys, i, i+1), 0, first)
		}
	}
	return keys
}

// alternatives joins words with commas and a last "or".
func alternatives(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return strings.Join(words, "")
}
