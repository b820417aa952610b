package main

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everywhere calls f with each command that does something.
func everywhere(cmd *cobra.Command, f func(*cobra.Command)) {
	if cmd.HasSubCommands() {
		for _, c := range cmd.Commands() {
			everywhere(c, f)
		}
		return
	}
	f(cmd)
}

// TestChoicesAreCompleted: where a flag's help lists the words that it takes, a shell completes them.
func TestChoicesAreCompleted(t *testing.T) {
	list := regexp.MustCompile(`: [a-z]+, [a-z]+(, | or )|[a-z]+,? or [a-z0-9]+$|FORMAT|SPLIT`)
	found := 0
	everywhere(newApp(nil, io.Discard, io.Discard).root(), func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" || !list.MatchString(f.Usage) || strings.Contains(f.Usage, "FILE") || f.Name == "host" {
				return
			}
			found++
			if _, ok := cmd.GetFlagCompletionFunc(f.Name); !ok {
				t.Errorf("%s --%s is not completed: %s", cmd.CommandPath(), f.Name, f.Usage)
			}
		})
	})
	if found < 30 {
		t.Errorf("only %d flags take one of some words", found)
	}
}

// TestFormatsEverywhere: what changes or shows something prints as the user wants it.
func TestFormatsEverywhere(t *testing.T) {
	own := map[string]string{ // commands with an output of their own
		"lockstep serve": "a server", "lockstep up": "a server", "lockstep model predict": "-o is --format", "lockstep job init": "a file with comments",
		"lockstep certs init": "files", "lockstep certs issue": "files", "lockstep completion": "a script", "lockstep bench matmul": "lines as they are measured",
	}
	everywhere(newApp(nil, io.Discard, io.Discard).root(), func(cmd *cobra.Command) {
		if !cmd.Hidden && cmd.Flags().Lookup(flagFormat) == nil && own[cmd.CommandPath()] == "" {
			t.Errorf("%s has no -o", cmd.CommandPath())
		}
	})
}
