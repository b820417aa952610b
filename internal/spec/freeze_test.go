package spec

import (
	"strings"
	"testing"
)

func TestFreezes(t *testing.T) {
	for _, c := range []struct {
		entry, layer string
		want         bool
	}{
		{"dense", "dense", true}, {"dense", "dense_1", false}, {"dense*", "dense_1", true}, {"*", "residual/dense", false},
		{"residual/*", "residual/dense", true}, {"[", "[", true}, {"[", "a", false}, {"conv?", "conv1", true},
	} {
		if got := Freezes(c.entry, c.layer); got != c.want {
			t.Errorf("%q freezes %q: %v, want %v", c.entry, c.layer, got, c.want)
		}
	}
}

func TestFreezePatterns(t *testing.T) {
	mustParse(t, minimal("init_from: {checkpoint: a, freeze: [\"den*\"]}"))
	if _, err := Parse("j", []byte(minimal("init_from: {checkpoint: a, freeze: [\"conv*\"]}"))); err == nil || !strings.Contains(err.Error(), `no layer "conv*"`) {
		t.Errorf("a pattern that names no layer: %v", err)
	}
}

// TestHashOfPinnedWeights: the same weights give the same result, wherever they are from.
func TestHashOfPinnedWeights(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	a := mustParse(t, minimal("init_from: {checkpoint: a@best, digest: \""+digest+"\"}")).Hash()
	b := mustParse(t, minimal("init_from: {file: w.safetensors, digest: \""+digest+"\"}")).Hash()
	c := mustParse(t, minimal("init_from: {file: w.safetensors, digest: \""+strings.Replace(digest, "ab", "cd", 1)+"\"}")).Hash()
	if a != b || a == c || a == mustParse(t, minimal()).Hash() {
		t.Errorf("hashes: checkpoint %x, file %x, another digest %x", a[:4], b[:4], c[:4])
	}
	if _, err := Parse("j", []byte(minimal("init_from: {checkpoint: a, digest: md5}"))); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("a digest that is none: %v", err)
	}
}
