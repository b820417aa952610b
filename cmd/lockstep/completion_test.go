package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// completers are how each shell, as it is set up by its script, completes a line: the command prints the completions, or
// the completed line. They find the program in PATH, as the user's shell does.
var completers = map[string]struct {
	without string // what to say where it is not installed
	command func(line, want string) []string
}{
	"bash": {"apt-get install bash bash-completion", func(line, _ string) []string {
		return []string{"bash", "--norc", "-c", `
			source /usr/share/bash-completion/bash_completion && source <(lockstep completion bash) || exit
			COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9
			COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			__start_lockstep lockstep "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
			printf '%s\n' "${COMPREPLY[@]}"`, "bash", line}
	}},
	"fish": {"apt-get install fish", func(line, _ string) []string {
		return []string{"fish", "--no-config", "-c", "lockstep completion fish | source; complete -C $argv[1]", line}
	}},
	"zsh": {"apt-get install zsh", func(line, want string) []string { // on a terminal of its own, with the tab key
		return []string{"zsh", "-f", "-c", `
			zmodload zsh/zpty && zpty shell zsh -f -i
			zpty -w shell 'autoload -U compinit && compinit -u -D && source <(lockstep completion zsh) && echo rea""dy'
			zpty -r -m shell got '*ready*' || exit
			zpty -n -w shell "$1"$'\t'
			zpty -r -m shell got "*$2*" && print -r -- $got`, "zsh", line, want}
	}},
	"pwsh": {"PowerShell is not in Debian; its script is not tested here", func(line, _ string) []string {
		return []string{"pwsh", "-NoProfile", "-Command",
			`lockstep completion powershell | Out-String | Invoke-Expression; (TabExpansion2 '` + line + `').CompletionMatches.CompletionText`}
	}},
}

// TestCompletionInShells runs each script in its shell and completes a verb, a flag, a flag's value and a job.
func TestCompletionInShells(t *testing.T) {
	noEnvironment(t)
	f := newFake(t)
	address, _ := f.serve()
	f.create("shell-job-1a", "shell-job")
	bin := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(bin, "lockstep")); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "TEST_RUN_MAIN=1", "HOME="+t.TempDir(), "LOCKSTEP_ADDR="+address, "PATH="+bin+":"+os.Getenv("PATH"))
	for shell, c := range completers {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("there is no %s: %s", shell, c.without)
			}
			if _, err := os.Stat("/usr/share/bash-completion/bash_completion"); shell == "bash" && err != nil {
				t.Skipf("%v: %s", err, c.without)
			}
			for line, want := range map[string]string{
				"lockstep job sub":                     "submit",
				"lockstep job submit --dry":            "--dry-run",
				"lockstep job list -o js":              "json",
				"lockstep job list --output-format=js": "json",
				"lockstep job list --state RECOV":      "RECOVERING",
				"lockstep job describe shell-j":        "shell-job",
			} {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				argv := c.command(line, want)
				cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
				cmd.Env = env
				out, err := cmd.CombinedOutput()
				cancel()
				if err != nil || !strings.Contains(string(out), want) {
					t.Errorf("%s: %v, want %s in %s", line, err, want, out)
				}
			}
		})
	}
}
