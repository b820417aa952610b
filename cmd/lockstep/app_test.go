package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/internal/contexts"
)

// result is how a command line ended.
type result struct {
	code     int
	out, err string
}

// command runs a command line in this process.
func command(t *testing.T, args ...string) result {
	t.Helper()
	return commandIn(t.Context(), "", args...)
}

// limit is how long a command may take on a machine that is busy with other things.
const limit = 2 * time.Minute

func commandIn(ctx context.Context, stdin string, args ...string) result {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out, errs buffer
	err := newApp(strings.NewReader(stdin), &out, &errs).execute(ctx, args)
	return result{exitCode(err), out.String(), errs.String()}
}

// buffer is a bytes.Buffer that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// want checks a result: its code, and texts that must be in one of the streams.
func (r result) want(t *testing.T, code int, out []string, err []string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.out, r.err)
	}
	for _, c := range []struct {
		name, got string
		want      []string
	}{{"stdout", r.out, out}, {"stderr", r.err, err}} {
		for _, w := range c.want {
			if !strings.Contains(c.got, w) {
				t.Errorf("%s does not contain %q:\n%s", c.name, w, c.got)
			}
		}
	}
}

// noEnvironment takes away what the tester's own environment and contexts say.
func noEnvironment(t *testing.T) {
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "LOCKSTEP_") && value != "" {
			t.Setenv(name, "")
		}
	}
	t.Setenv(contexts.Environment, filepath.Join(t.TempDir(), "config.yaml"))
}

const tinyCSV = "0,0,a\n0,1,b\n1,0,b\n1,1,a\n0,0,a\n0,1,b\n1,0,b\n1,1,a\n"

const tinySpec = `apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: tiny}
spec:
  dataset:
    format: csv
    source: .
    train: {file: tiny.csv}
    header: false
    target: {column: "2", type: category}
  model:
    layers:
      - {type: dense, units: 4, activation: relu}
      - {type: dense, units: 2}
  loss: {type: cross_entropy}
  metrics: [accuracy]
  optimizer: {type: sgd, learning_rate: 0.1}
  training: {epochs: 2, global_batch_size: 4}
`

// inFolder puts a specification with its data into a new working directory.
func inFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "tiny.yaml", tinySpec)
	write(t, "tiny.csv", tinyCSV)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// files lists the working directory.
func files(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}
