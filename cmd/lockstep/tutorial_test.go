package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lockstep/internal/testaddr"
)

// shellBlock is a block of shell commands in Markdown. What a reader should not run in a test is in a block without "sh".
var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestTutorial runs the commands of the tutorial, one after the other in one shell, as they stand.
func TestTutorial(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	script := "set -e -o pipefail\n"
	for _, block := range shellBlock.FindAllStringSubmatch(readText(t, "../../docs/TUTORIAL.md"), -1) {
		script += block[1]
	}
	dir := t.TempDir()
	examples, err := filepath.Abs("../../examples")
	if err == nil {
		err = os.Symlink(examples, filepath.Join(dir, "examples"))
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, bash, "-c", script)
	cmd.Dir = dir
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(asLockstep(t), "XDG_STATE_HOME="+filepath.Join(dir, "state"), "LOCKSTEP_CONFIG="+filepath.Join(dir, "config.yaml"))
	grpc, http := testaddr.New(t), testaddr.New(t)
	cmd.Env = append(cmd.Env, "LOCKSTEP_LISTEN="+grpc, "LOCKSTEP_HTTP="+http, "LOCKSTEP_ADDR="+grpc)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the tutorial's commands fail: %v\n%s", err, out)
	}
	for _, want := range []string{"the same bits", "the cluster's model is the one that run made", `did you mean "units"?`, "exit code 2", "computed again by 1, give the same", "segments 0 to"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the commands do not say %q:\n%s", want, out)
		}
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// asLockstep is an environment in which the command lockstep is this test's own program.
func asLockstep(t *testing.T) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nTEST_RUN_MAIN=1\nexport TEST_RUN_MAIN\nexec '%s' \"$@\"\n", self)
	if err := os.WriteFile(filepath.Join(bin, "lockstep"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
}
