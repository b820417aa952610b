package spec

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// seeds are the texts of all golden cases, the example, and the templates.
func seeds(f *testing.F) []string {
	f.Helper()
	texts := []string{string(readFile(f, "testdata/fashion.yaml")), "", "a: &a [*a]", "spec: {<<: [{a: 1}, {b: 2}]}", "{}", "[", "\t",
		strings.ReplaceAll(minimal("seed: -1"), "\n", "\r"), strings.ReplaceAll(minimal("seed: x"), "\n", "\u2028")}
	paths, err := filepath.Glob("testdata/bad/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		for _, part := range strings.Split("\n"+string(readFile(f, path)), "\n=== ")[1:] {
			text, _, _ := strings.Cut(part, "\n--- errors\n")
			_, text, _ = strings.Cut(text, "\n")
			texts = append(texts, text)
		}
	}
	for _, name := range Templates() {
		text, err := Template(name)
		if err != nil {
			f.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

// FuzzParse checks that whatever is accepted has a canonical form that is accepted and stays the same, and that every
// error has a place inside the text.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		j, err := Parse("f.yaml", text)
		if err != nil {
			checkErrors(t, err, text)
			return
		}
		first := j.Canonical()
		again, err := FromCanonical(first)
		if err != nil {
			t.Fatalf("canonical form refused: %v\n%s", err, first)
		}
		if second := again.Canonical(); !bytes.Equal(first, second) {
			t.Fatalf("canonical form changed:\n%s\n%s", first, second)
		}
		if j.Hash() != again.Hash() {
			t.Fatal("hash changed")
		}
	})
}

func checkErrors(t *testing.T, err error, text []byte) {
	t.Helper()
	list := []error{err}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		list = many.Unwrap()
	}
	if len(list) > maxErrors+1 {
		t.Fatalf("%d errors", len(list))
	}
	lines := splitLines(text)
	for i, err := range list {
		var e *Error
		if !errors.As(err, &e) {
			if i != maxErrors {
				t.Fatalf("error %d is %T: %v", i, err, err)
			}
			continue
		}
		if e.Msg == "" || strings.Contains(e.Msg, "decode specification") || strings.Contains(e.Msg, "validation failed") {
			t.Fatalf("unexplained: %v", err)
		}
		if e.Line == 0 {
			continue
		}
		if e.Line > len(lines) || e.Source != lines[e.Line-1] || e.Col < 1 {
			t.Fatalf("no such place: %+v", e)
		}
		if utf8.ValidString(e.Source) && e.Col > utf8.RuneCountInString(e.Source)+1 {
			t.Fatalf("column after the line's end: %+v", e)
		}
	}
}

// FuzzSet checks that what Set writes can be read, and holds the value at the path.
func FuzzSet(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add([]byte(s), "spec.training.epochs", "3")
		f.Add([]byte(s), "spec.model.layers.0.units", "[a, {b: *x}]")
		f.Add([]byte(s), "spec", "null")
	}
	f.Fuzz(func(t *testing.T, text []byte, path, value string) {
		out, err := Set(text, path, value)
		if err != nil {
			return
		}
		if _, err := nodes("", out); err != nil && len(out) <= maxText {
			t.Fatalf("cannot be read: %v\n%s", err, out)
		}
		want, err := read("", []byte(value))
		if err != nil {
			return
		}
		got, err := read("", out)
		if err != nil || want.root == nil {
			return
		}
		ptr := ""
		for _, key := range splitPath(path) {
			ptr = child(ptr, key)
		}
		if a, b := encode(got.value(ptr)), encode(want.root); !bytes.Equal(a, b) {
			t.Fatalf("at %s is %s, want %s", path, a, b)
		}
	})
}
