package spec_test

import (
	"os"
	"strings"
	"testing"

	"lockstep/internal/reference"
	"lockstep/internal/spec"
)

// TestReference: the page in docs is that of the schema, and every field in it has a word about itself.
func TestReference(t *testing.T) {
	want, err := reference.Spec(spec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/reference/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/reference/spec.md is not what the schema says: go generate ./cmd/lockstep")
	}
	for line := range strings.Lines(want) {
		if strings.HasPrefix(line, "| `") && strings.HasSuffix(line, "|  |\n") {
			t.Errorf("the schema does not say what this is: %s", line)
		}
	}
	for _, layer := range []string{"transformer_block", "lstm, gru", "conv2d_transpose"} {
		if !strings.Contains(want, "\n### type: "+layer+"\n") {
			t.Errorf("there is nothing of %s", layer)
		}
	}
}
