package testcluster

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExportedFileHasTheModelsDigest exports a model with the command line: what sha256sum says of the file is the
// job's digest.
func TestExportedFileHasTheModelsDigest(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	j := c.WaitDone(id)
	file := filepath.Join(t.TempDir(), "m.safetensors")
	cmd := exec.CommandContext(c.context(), Binary(t, "lockstep"), "model", "export", id, "--format", "safetensors", "--output", file,
		"--addr", strings.Join(c.Addresses(), ","))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("export: %v\n%s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(data)); got != j.ModelDigest {
		t.Errorf("file has digest %s, the job says %s", got, j.ModelDigest)
	}
	want(t, j.ModelDigest)
}
