package main

import (
	"os"
	"strings"
	"testing"

	"lockstep/internal/reference"
)

// TestReferenceOfCommands: the page in docs is that of the commands.
func TestReferenceOfCommands(t *testing.T) {
	want := reference.CLI(newApp(nil, nil, nil).root())
	got, err := os.ReadFile("../../docs/reference/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/reference/cli.md is not what the commands say: go generate ./cmd/lockstep")
	}
	for _, text := range []string{"## lockstep job submit\n", "`--set PATH=VALUE`", "[lockstep context use](#lockstep-context-use)"} {
		if !strings.Contains(want, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	command(t, "reference", "xyz").want(t, codeUsage, nil, []string{`unknown page "xyz"`})
}
