package trainer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/dataset"
	"lockstep/internal/spec"
)

// TestOpenSaysWhatDoesNotFit: what can be known before the first step ends the job before it.
func TestOpenSaysWhatDoesNotFit(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"x.csv": "a,b,y\n1,2,p\n3,1,q\n0,5,r\n", "bad.csv": "a,b,y\n1,2,p\n3,1,new\n", "x.txt": "abcabcabcabc", "z.txt": "abcZabcabcabc"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const table = "format: csv, train: {file: x.csv}, target: {column: y, type: category}"
	const text = "format: text, train: {file: x.txt}, text: {tokenizer: char, sequence_length: 4}"
	for _, c := range []struct{ data, layers, want string }{
		{table, "{type: dense, units: 2}", "the output of shape [2] has 2 classes, the dataset 3"},
		{table + ", test: {file: bad.csv}", "{type: dense, units: 3}", `record 2 (line 3), column "y": "new"`},
		{table, "{type: reshape, target_shape: [5]}, {type: dense, units: 3}", `layer "reshape"`},
		{text, "{type: embedding, input_dim: 2, output_dim: 4}, {type: dense, units: 3}", "input_dim is 2, but its input of shape [4] has a vocabulary of 3"},
		{text + ", test: {file: z.txt}", "{type: embedding, input_dim: vocab_size, output_dim: 4}, {type: dense, units: vocab_size}", "'Z' is not in the training split"},
	} {
		j, err := spec.Parse("t.yaml", []byte("apiVersion: lockstep/v1\nkind: TrainJob\nmetadata: {name: t}\nspec:\n  dataset: {source: \"file://"+dir+"\", "+c.data+
			"}\n  model: {layers: ["+c.layers+"]}\n  loss: {type: cross_entropy}\n  training: {epochs: 1, global_batch_size: 2}\n"))
		if err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		err = newTask("t").open(t.Context(), &lockstepv1.Job{Id: "t", Spec: j.Canonical()}, 1, dataset.Options{})
		var fault *jobError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want an error of the job with %q", err, c.want)
		}
	}
}
