package console

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestGrid(t *testing.T) {
	g := Grid{Columns: []Column{{Name: "NAME"}, {Name: "STATE", Style: Terminal{Colour: true}.State}, {Name: "REASON", Wide: true}, {Name: "AGE"}}}
	g.Add("müller", "RUNNING", "", "3m")
	g.Add("a-longer-name", "FAILED", "broken\nline\x1b[2J", "")
	for _, c := range []struct {
		wide bool
		want string
	}{
		{false, "NAME            STATE     AGE\n" +
			"müller          \x1b[32mRUNNING\x1b[0m   3m\n" +
			"a-longer-name   \x1b[31mFAILED\x1b[0m    -\n"},
		{true, "NAME            STATE     REASON             AGE\n" +
			"müller          \x1b[32mRUNNING\x1b[0m   -                  3m\n" +
			"a-longer-name   \x1b[31mFAILED\x1b[0m    broken line [2J   -\n"},
	} {
		var b bytes.Buffer
		if err := g.Write(&b, c.wide); err != nil {
			t.Fatalf("write grid: %v", err)
		}
		if diff := cmp.Diff(squash(c.want), squash(b.String())); diff != "" {
			t.Errorf("wide=%v (-want +got):\n%s", c.wide, diff)
		}
		checkAligned(t, b.String(), "AGE")
	}
}

// squash makes runs of spaces one.
func squash(s string) string {
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return s
}

// checkAligned checks that all lines have a field that starts where the head's last column does.
func checkAligned(t *testing.T, text, last string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stripColours(text), "\n"), "\n")
	at := len([]rune(lines[0])) - len(last)
	for _, l := range lines {
		if r := []rune(l); len(r) <= at || r[at] == ' ' || r[at-1] != ' ' {
			t.Errorf("no field at column %d of %q", at, l)
		}
	}
}

func stripColours(s string) string {
	for _, code := range []string{"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"} {
		s = strings.ReplaceAll(s, code, "")
	}
	return s
}

func TestFacts(t *testing.T) {
	var f Facts
	f.Add("job", "digits")
	f.Add("nothing", "")
	f.Add("reason", "two\nlines")
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatalf("write facts: %v", err)
	}
	want := "job      digits\nreason   two\n         lines\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestFormat(t *testing.T) {
	f := Table
	if err := f.Set("yaml"); err != nil || f != YAML {
		t.Errorf("Set(yaml) = %v, format %q", err, f)
	}
	if err := f.Set("xml"); err == nil || !strings.Contains(err.Error(), "table, wide, json, yaml, name") || f != YAML {
		t.Errorf("Set(xml) = %v, format %q; want an error that lists the formats, and no change", err, f)
	}
}

// TestYAMLKeepsValues checks that what is a string, a number or a list in JSON is the same thing in YAML.
func TestYAMLKeepsValues(t *testing.T) {
	type inner struct {
		Shape []int   `json:"shape"`
		Rate  float64 `json:"rate"`
	}
	v := struct {
		Zeta  string         `json:"zeta"`
		Alpha inner          `json:"alpha"`
		Words []string       `json:"words"`
		Empty map[string]any `json:"empty"`
		None  []string       `json:"none"`
		List  []inner        `json:"list"`
	}{
		Zeta: "<1 & 2>", Alpha: inner{[]int{8, 8, 1}, 1e-7},
		Words: []string{"true", "12", "", "null", "a: b", "# c", "é\u2028\x7f", "1e3", "~", "- x", "two\nlines"},
		Empty: map[string]any{}, List: []inner{{nil, math.MaxFloat64}},
	}
	var text bytes.Buffer
	if err := WriteYAML(&text, v); err != nil {
		t.Fatalf("write YAML: %v", err)
	}
	var back any
	if err := yaml.Unmarshal(text.Bytes(), &back); err != nil {
		t.Fatalf("read YAML: %v\n%s", err, text.String())
	}
	if diff := cmp.Diff(asJSON(t, v), asJSON(t, back)); diff != "" {
		t.Errorf("YAML (-want +got):\n%s\n%s", diff, text.String())
	}
	if !strings.HasPrefix(text.String(), "zeta: <1 & 2>\nalpha:\n  shape: [8, 8, 1]\n") {
		t.Errorf("YAML does not begin as wanted:\n%s", text.String())
	}
}

// asJSON is a value after a way through JSON.
func asJSON(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	return out
}

func FuzzYAMLKeepsStrings(f *testing.F) {
	for _, s := range []string{"", "a", "1", "true", "no", "0x10", "2020-01-01", "=", "<<", "!!int 3", "&a", "*a", "|", "\t", "\u0085", "'", `"`, "%", "@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := map[string]any{"v": strings.ToValidUTF8(s, "?")}
		var text bytes.Buffer
		if err := WriteYAML(&text, v); err != nil {
			t.Fatalf("write YAML: %v", err)
		}
		var back any
		if err := yaml.Unmarshal(text.Bytes(), &back); err != nil {
			t.Fatalf("read YAML: %v\n%s", err, text.String())
		}
		if diff := cmp.Diff(asJSON(t, v), asJSON(t, back)); diff != "" {
			t.Errorf("YAML (-want +got):\n%s\n%s", diff, text.String())
		}
	})
}

func TestTerminalOf(t *testing.T) {
	env := func(string) string { return "" }
	if tty := TerminalOf(new(bytes.Buffer), env); tty.Width != nil || tty.Colour || tty.State("FAILED") != "FAILED" {
		t.Errorf("a buffer counts as a terminal: %+v", tty)
	}
}
