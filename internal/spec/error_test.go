package spec

import (
	"errors"
	"strings"
	"testing"
)

func TestErrorText(t *testing.T) {
	long := strings.Repeat("x", 300) + "!" + strings.Repeat("y", 300)
	for _, c := range []struct {
		name string
		e    Error
		want string
	}{
		{"whole", Error{File: "a.yaml", Line: 12, Col: 23, Msg: `unknown key "unit" in a dense layer`, Hint: `did you mean "units"?`, Source: "      - {type: dense, unit: 10}"},
			"a.yaml:12:23: unknown key \"unit\" in a dense layer\n      - {type: dense, unit: 10}\n                      ^\nhint: did you mean \"units\"?"},
		{"without a hint", Error{File: "a", Line: 1, Col: 1, Msg: "m", Source: "s"}, "a:1:1: m\ns\n^"},
		{"without a place", Error{File: "a", Msg: "m", Hint: "h"}, "a: m\nhint: h"},
		{"tabs and wide letters", Error{File: "a", Line: 1, Col: 4, Msg: "m", Source: "\täö: x"}, "a:1:4: m\n\täö: x\n\t  ^"},
		{"column after the end", Error{File: "a", Line: 1, Col: 9, Msg: "m", Source: "ab"}, "a:1:9: m\nab\n  ^"},
		{"long line", Error{File: "a", Line: 1, Col: 301, Msg: "m", Source: long},
			"a:1:301: m\n" + strings.Repeat("x", 80) + "!" + strings.Repeat("y", 79) + "\n" + strings.Repeat(" ", 80) + "^"},
	} {
		if got := c.e.Error(); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestErrorsAs(t *testing.T) {
	_, err := Parse("a.yaml", []byte("spec: {seed: -1}\nkind: x\n"))
	var e *Error
	if !errors.As(err, &e) || e.Line != 1 || e.File != "a.yaml" || e.Source != "spec: {seed: -1}" {
		t.Errorf("got %+v", e)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"units", "use_bias", "activation", "kernel_initializer", "relu", "elu", "gelu", "min", "val_loss", "global_batch_size"}
	for word, want := range map[string]string{
		"unit": "units", "UNITS": "units", "unist": "units", "activaton": "activation", "rleu": "relu", "kernel_initialiser": "kernel_initializer",
		"initializer": "kernel_initializer", "batch_size": "global_batch_size", "xyz": "", "": "", "mni": "min", "loss": "val_loss",
		strings.Repeat("a", 1000): "",
	} {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ä", "a", 1}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != got {
			t.Errorf("distance of %q and %q is %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
