package ckpt

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDescriptionOfData: a state with one is of version 2; without, it is as it always was.
func TestDescriptionOfData(t *testing.T) {
	plain := sample()
	described := sample()
	described.Dataset = []byte(`{"classes":["a"]}`)
	a, b := encode(t, plain), encode(t, described)
	if a[7] != 1 || b[7] != 2 {
		t.Errorf("versions are %d and %d, want 1 and 2", a[7], b[7])
	}
	got, err := Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(described, got, bits); d != "" {
		t.Error(d)
	}
	for name, version := range map[byte][]byte{1: b, 2: a} {
		text := bytes.Clone(version)
		text[7] = name
		if _, err := Decode(bytes.NewReader(text)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a header of the other version as %d: %v", name, err)
		}
	}
}
