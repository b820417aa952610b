// Package testpython runs the independent readers and writers that tests compare with. It is for tests only.
package testpython

import (
	"os/exec"
	"strings"
	"testing"
)

// Find returns a python3 that has the modules, or skips the test and says what is missing.
func Find(t testing.TB, modules ...string) string {
	t.Helper()
	try := "import " + strings.Join(append([]string{"sys"}, modules...), ", ")
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", try).Run() == nil {
			return python
		}
	}
	t.Skipf("no python3 with %s: the independent check is not run", strings.Join(modules, ", "))
	return ""
}

// Run runs a script with arguments and returns what it printed. The test fails if the script does.
func Run(t testing.TB, python, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, append([]string{"-c", script}, args...)...)
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", python, err, out, failed.String())
	}
	return out
}
