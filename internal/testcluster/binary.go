package testcluster

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "lockstep-bin-")
	if err != nil {
		return "", err
	}
	if err := noteSources(); err != nil {
		return "", err
	}
	args := []string{"build", "-o", dir, "lockstep/cmd/coordinator", "lockstep/cmd/worker", "lockstep/cmd/lockstep"}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

// noteSources opens every folder of the programs' source: go test takes what a test has opened for its input, and so does not
// repeat the result that programs had which have changed since.
func noteSources() error {
	file, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("go env GOMOD: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(file)))
	for _, dir := range []string{"api", "cmd", "internal"} {
		if err := filepath.WalkDir(filepath.Join(root, dir), func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			return err
		}
	}
	return nil
}

// Binary builds this module's programs, once, and returns the path of one of them.
func Binary(t *testing.T, name string) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// Cleanup removes what Binary built. A package's TestMain calls it.
func Cleanup() {
	if dir, err := build(); err == nil {
		os.RemoveAll(dir)
	}
}
