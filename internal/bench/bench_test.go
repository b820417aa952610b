package bench

import (
	"strings"
	"testing"

	"lockstep/internal/spec"
)

func TestSpecsAreValid(t *testing.T) {
	for _, m := range Models() {
		text, err := specs.ReadFile("specs/" + m + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spec.Parse(m, text); err != nil {
			t.Error(err)
		}
	}
}

func TestMatmulWritesALineAShape(t *testing.T) {
	var out strings.Builder
	Matmul(&out, []Shape{{3, 5, 7}, {16, 16, 16}})
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}

func TestUnknownNetIsRefused(t *testing.T) {
	if _, err := Train(t.Context(), TrainConfig{Model: "nope", Workers: 1, Repeats: 1}, nil); err == nil || !strings.Contains(err.Error(), "mlp") {
		t.Errorf("error %v does not name the nets there are", err)
	}
}
