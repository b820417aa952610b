package console

import (
	"math"
	"os"
	"testing"
)

func TestSparkline(t *testing.T) {
	for _, c := range []struct {
		values []float64
		width  int
		want   string
	}{
		{nil, 5, ""},
		{[]float64{1}, 5, "▁"},
		{[]float64{0, 7, math.NaN(), 3.5}, 5, "▁█▄"},
		{[]float64{8, 7, 6, 5, 4, 3, 2, 1}, 4, "▇▅▃▁"},
		{[]float64{-math.MaxFloat64, math.Inf(1), math.MaxFloat64}, 3, "▁█"},
		{[]float64{1, 2}, 0, ""},
	} {
		if got := Sparkline(c.values, c.width); got != c.want {
			t.Errorf("%v in %d: %q, want %q", c.values, c.width, got, c.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		line  string
		width int
		want  string
	}{
		{"abc", 2, "ab"},
		{"▁▂▃", 2, "▁▂"},
		{"a\x1b[32mRUNNING\x1b[0m b", 4, "a\x1b[32mRUN\x1b[0m"},
		{"a\x1b[", 4, "a"},
	} {
		if got := cut(c.line, c.width); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.line, c.width, got, c.want)
		}
	}
}

func TestScreenWantsATerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := OpenScreen(f, f, TerminalOf(f, os.Getenv)); err != ErrNoTerminal {
		t.Errorf("opened a screen on no terminal: %v", err)
	}
}
