package spec

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestCanonicalRoundTrip(t *testing.T) {
	texts := map[string]string{
		"example": string(readFile(t, "testdata/fashion.yaml")),
		"minimal": minimal(),
		"zeros": `
spec:
  seed: 0
  dataset: {format: csv, source: "x<&>", header: false, shuffle: false, target: {column: 0, type: number}, preprocessing: [{type: rescale, scale: 2}]}
  loss: {type: huber}
  optimizer: {type: adam, beta_1: 0, beta_2: 0}
  lr_scheduler: {type: reduce_on_plateau, threshold: 0, patience: 0, monitor: train_loss}
  training: {eval_every: never, log_every: never}
  checkpoint: {every: never}
  early_stopping: {min_delta: 0}
  model:
    layers:
      - {type: dropout, rate: 0}
      - {type: batch_norm, momentum: 0}
      - {type: embedding, input_dim: 3, output_dim: 4}
      - {type: transformer_block, num_heads: 1, units: 1}
      - {type: positional_embedding, learned: true}
      - {type: reshape, target_shape: [-1, 2]}
      - {type: residual, layers: [{type: gelu}, {type: time_distributed, layer: {type: dense, units: 2, use_bias: false}}]}
`,
	}
	for _, name := range Templates() {
		text, _ := Template(name)
		texts[name] = string(text)
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			j := mustParse(t, text)
			back, err := FromCanonical(j.Canonical())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(j, back); diff != "" {
				t.Errorf("-parsed +read back:\n%s", diff)
			}
			if !bytes.Equal(j.Canonical(), back.Canonical()) || j.Hash() != back.Hash() {
				t.Error("the canonical form or the hash changed")
			}
			if err := compiled().root.Validate(j.tree()); err != nil {
				t.Error("the canonical form does not fit the schema:", err)
			}
			if bytes.Contains(j.Canonical(), []byte(`\u00`)) {
				t.Error("escaped without need")
			}
		})
	}
}

func TestFromCanonicalRefuses(t *testing.T) {
	good := string(mustParse(t, minimal()).Canonical())
	for _, bad := range []string{"", "{}", good + good, strings.Replace(good, `"units":10`, `"units":0`, 1),
		strings.Replace(good, `"micro_batches":8`, `"micro_batches":65`, 1), strings.Replace(good, `"seed"`, `"sed"`, 1)} {
		if _, err := FromCanonical([]byte(bad)); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

// TestHash changes one thing at a time and says whether the result depends on it.
func TestHash(t *testing.T) {
	base := string(readFile(t, "testdata/fashion.yaml"))
	hash := func(text string) [32]byte { j := mustParse(t, text); return j.Hash() }
	for _, c := range []struct {
		path, value string
		matters     bool
	}{
		{"metadata.name", "other", false},
		{"metadata.labels", "{a: b}", false},
		{"spec.parallelism.workers", "{min: 2, max: 3}", false},
		{"spec.parallelism.bucket_mb", "1", false},
		{"spec.scheduling.priority", "7", false},
		{"spec.checkpoint.keep_last", "9", false},
		{"spec.checkpoint.keep_best", "9", false},
		{"spec.training.log_every", "{steps: 7}", false},
		{"spec.export.formats", "[]", false},
		{"spec.model.layers.0.name", "conv2d", false}, // the default, spelt out
		{"spec.parallelism.reduction", "float32", true},
		{"spec.parallelism.wire", "bf16", true},
		{"spec.seed", "43", true},
		{"spec.dataset.source", "file:///elsewhere", true},
		{"spec.dataset.shard_records", "128", true},
		{"spec.model.layers.0.filters", "33", true},
		{"spec.model.layers.0.name", "first", true},
		{"spec.loss.label_smoothing", "0.1", true},
		{"spec.metrics", "[f1]", true},
		{"spec.optimizer.learning_rate", "0.5", true},
		{"spec.lr_scheduler.warmup_steps", "1", true},
		{"spec.training.epochs", "11", true},
		{"spec.training.global_batch_size", "255", true},
		{"spec.training.micro_batches", "16", true},
		{"spec.training.eval_every", "{epochs: 2}", true},
		{"spec.checkpoint.every", "{epochs: 2}", true},
		{"spec.early_stopping.patience", "4", true},
		{"spec.init_from.checkpoint", "other@best", true},
		{"spec.early_stopping", "null", true},
	} {
		t.Run(c.path, func(t *testing.T) {
			text, err := Set([]byte(base), c.path, c.value)
			if err != nil {
				t.Fatal(err)
			}
			if changed := hash(string(text)) != hash(base); changed != c.matters {
				t.Errorf("changed the hash: %t", changed)
			}
		})
	}
}

// TestSchemaIsTheStructs checks that the schema and the Go types know the same keys.
func TestSchemaIsTheStructs(t *testing.T) {
	keys := map[reflect.Type]map[string]bool{}
	gather(keys, reflect.TypeFor[Job](), []*jsonschema.Schema{compiled().root}, 0)
	if len(keys) < 20 {
		t.Fatalf("only %d types", len(keys))
	}
	for typ, known := range keys {
		for f := range fields(typ) {
			if !known[f] {
				t.Errorf("%s of %s is not in the schema", f, typ)
			}
			delete(known, f)
		}
		for key := range known {
			t.Errorf("%s of the schema is not in %s", key, typ)
		}
	}
}

// fields gives the JSON names of a struct's fields and their types.
func fields(typ reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		all[name] = typ.Field(i).Type
	}
	return all
}

// gather enters the keys that parts of the schema have for each struct type that typ leads to.
func gather(keys map[reflect.Type]map[string]bool, typ reflect.Type, parts []*jsonschema.Schema, depth int) {
	parts = spread(parts)
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		if typ.Kind() == reflect.Slice {
			parts = spread(items(parts))
		}
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || depth > 8 {
		return
	}
	if keys[typ] == nil {
		keys[typ] = map[string]bool{}
	}
	types := fields(typ)
	values := map[string][]*jsonschema.Schema{}
	for _, p := range parts {
		for name, sch := range p.Properties {
			keys[typ][name] = true
			values[name] = append(values[name], sch)
		}
	}
	for name, inner := range values {
		if types[name] != nil {
			gather(keys, types[name], inner, depth+1)
		}
	}
}

// spread adds the parts that parts refer to.
func spread(parts []*jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	var add func(s *jsonschema.Schema)
	add = func(s *jsonschema.Schema) {
		if s == nil || slices.Contains(all, s) {
			return
		}
		all = append(all, s)
		for _, p := range slices.Concat([]*jsonschema.Schema{s.Ref, s.Then, s.Else}, s.AllOf) {
			add(p)
		}
	}
	for _, p := range parts {
		add(p)
	}
	return all
}

func items(parts []*jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	for _, p := range parts {
		if p.Items2020 != nil {
			all = append(all, p.Items2020)
		}
	}
	return all
}

// TestSchemaTitles checks what error messages rely on: every part that can be at fault has a title with an article.
func TestSchemaTitles(t *testing.T) {
	for location, s := range compiled().at {
		if s.Types == nil && s.Enum == nil || s.Ref != nil {
			continue
		}
		if compiled().titled(location) == compiled().root && location != schemaURL {
			t.Errorf("%s has no title", location)
		}
	}
}

func TestSchemaIsValid(t *testing.T) {
	var doc map[string]any
	if err := json.Unmarshal(Schema(), &doc); err != nil || doc["$id"] != schemaURL {
		t.Error("got", doc["$id"], err)
	}
	Schema()[0] = 'x'
	if Schema()[0] != '{' {
		t.Error("the caller can change the schema")
	}
}
