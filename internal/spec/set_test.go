package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSet(t *testing.T) {
	const text = "# a job\nspec:\n  seed: 1  # lucky\n\n  training: {epochs: 3, note: 'x'}\n  model:\n    layers:\n      - type: dense\n        units: 5\n"
	for _, c := range []struct{ name, text, path, value, want string }{
		{"scalar in its place", text, "spec.seed", "7", strings.Replace(text, "seed: 1 ", "seed: 7 ", 1)},
		{"scalar in a flow map", text, "spec.training.epochs", "12", strings.Replace(text, "epochs: 3", "epochs: 12", 1)},
		{"quoted scalar", text, "spec.training.note", "yes: no", ""},
		{"quoted scalar by a plain one", text, "spec.training.note", "abc", strings.Replace(text, "'x'", "abc", 1)},
		{"list index", text, "spec.model.layers.0.units", "64", strings.Replace(text, "units: 5", "units: 64", 1)},
		{"new key", "spec:\n  seed: 1 # one\n", "spec.training.epochs", "3", "spec:\n  seed: 1 # one\n  training:\n    epochs: 3\n"},
		{"map for a scalar", "spec:\n  seed: 1\n", "spec.seed", "{a: 1}", "spec:\n  seed: {a: 1}\n"},
		{"scalar for a map", "spec: {a: {b: 1}}\n", "spec.a", "x", "spec: {a: x}\n"},
		{"append", "spec: {metrics: [a]}\n", "spec.metrics.1", "b", "spec: {metrics: [a, b]}\n"},
		{"append a map", "spec:\n  layers:\n    - a: 1\n", "spec.layers.1.a", "2", "spec:\n  layers:\n    - a: 1\n    - a: 2\n"},
		{"remove", "spec:\n  a: 1\n  b: 2\n", "spec.a", "null", "spec:\n  b: 2\n"},
		{"remove an item", "spec: [a, b]\n", "spec.0", "~", "spec: [b]\n"},
		{"map without a value", "spec:\n  training:\n", "spec.training.epochs", "3", "spec:\n  training:\n    epochs: 3\n"},
		{"escaped dot", "metadata: {}\n", `metadata.labels.a\.b`, "c", "metadata: {labels: {a.b: c}}\n"},
		{"text that looks like a number", "spec: {a: 1}\n", "spec.a", `"12"`, "spec: {a: \"12\"}\n"},
		{"alias", "a: &x {b: {c: 1}}\nd: *x\n", "d.b.c", "2", "a: &x {b: {c: 1}}\nd: {b: {c: 2}}\n"},
		{"anchor", "a: &x 1\nb: *x\n", "a", "2", "a: &x 2\nb: *x\n"},
		{"comment with braces", "spec: {a: 1} # {a: 1}\n", "spec.a", "2", "spec: {a: 2} # {a: 1}\n"},
		{"null in a flow map", "spec: {a: , b: [c: ]}\n", "spec.d", "[{e}]", "spec: {a: null, b: [{c: null}], d: [{e: null}]}\n"},
		{"other line breaks", "a: 1\rb: 2\u2028c: 3", "c", "4", "a: 1\nb: 2\nc: 4\n"},
		{"wide characters before it", "{\"äöü\": 1, b: 2}\n", "b", "3", "{\"äöü\": 1, b: 3}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Set([]byte(c.text), c.path, c.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); c.want != "" && diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSetErrors(t *testing.T) {
	const text = "spec: {seed: 1, layers: [{a: 1}]}\n"
	for _, c := range []struct{ name, text, path, value, want string }{
		{"through a scalar", text, "spec.seed.x.y", "1", `set spec.seed.x.y: spec.seed is 1, it has no "x"`},
		{"word as index", text, "spec.layers.first.a", "1", `set spec.layers.first.a: spec.layers is a list: "first" must be an index from 0 to 1`},
		{"index too large", text, "spec.layers.2.a", "1", "set spec.layers.2.a: spec.layers has 1 items: the index 2 must be from 0 to 1"},
		{"negative index", text, "spec.layers.-1", "1", "set spec.layers.-1: spec.layers has 1 items: the index -1 must be from 0 to 1"},
		{"empty part", text, "spec..seed", "1", "set spec..seed: the path has an empty part"},
		{"no path", text, "", "1", "set : the path has an empty part"},
		{"no value", text, "spec.seed", "", `set spec.seed: no value: write null to remove what is there, or '""' for an empty text`},
		{"bad value", text, "spec.seed", "[1", "set spec.seed: value:1:1: not YAML: did not find expected ',' or ']'\n[1\n^"},
		{"two values", text, "spec.seed", "1\n---\n2", "set spec.seed: value:2:1: a second YAML document\n---\n^\nhint: put each job into a file of its own"},
		{"list at the top", "[1]\n", "spec.seed", "1", `set spec.seed: the file is a list: "spec" must be an index from 0 to 1`},
		{"bad text", "{", "spec.seed", "1", "set spec.seed: specification:1:1: not YAML: did not find expected node content\n{\n^"},
		{"lost anchor", "a: {b: &x 1}\nc: *x\n", "a", "1", "set a: something else refers to what was here: result:1:1: not YAML: unknown anchor 'x' referenced\na: 1\n^"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Set([]byte(c.text), c.path, c.value)
			if err == nil {
				t.Fatalf("gave %q", got)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
