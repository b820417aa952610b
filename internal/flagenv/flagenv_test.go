package flagenv

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestPrecedence(t *testing.T) {
	for _, c := range []struct {
		name, env string
		args      []string
		want      string
	}{
		{"default", "", nil, "d"},
		{"environment before default", "e", nil, "e"},
		{"flag before environment", "e", []string{"--node-id", "f"}, "f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("LOCKSTEP_NODE_ID", c.env)
			fs := pflag.NewFlagSet("", pflag.ContinueOnError)
			got := fs.String("node-id", "d", "")
			if err := fs.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			if err := Apply(fs); err != nil {
				t.Fatal(err)
			}
			if *got != c.want {
				t.Errorf("node-id = %q, want %q", *got, c.want)
			}
		})
	}
}

func TestBadValueNamesTheVariable(t *testing.T) {
	t.Setenv("LOCKSTEP_CORES", "many")
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.Int("cores", 1, "")
	if err := Apply(fs); err == nil || !strings.Contains(err.Error(), "LOCKSTEP_CORES") {
		t.Errorf("error %v does not name the variable", err)
	}
}

func TestLoggerRefusesUnknownWords(t *testing.T) {
	if _, err := Logger("xml", "info"); err == nil {
		t.Error("format xml was taken")
	}
	if _, err := Logger("text", "loud"); err == nil {
		t.Error("level loud was taken")
	}
	if _, err := Logger("json", "debug"); err != nil {
		t.Error(err)
	}
}
