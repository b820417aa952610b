package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRetryAndDelete(t *testing.T) {
	f := threeCheckpoints(t)
	command(t, "job", "retry", "mnist").want(t, codeError, nil, []string{"RUNNING: only one that failed or was cancelled"})
	command(t, "job", "delete", "mnist").want(t, codeError, nil, []string{"has not ended"})
	f.cancel("mnist-1", "by hand")
	command(t, "job", "retry", "mnist", "--from", "15").want(t, codeNotFound, nil, []string{"[10 20 30]"})
	command(t, "job", "retry", "mnist", "--from", "best").want(t, 0, []string{"mnist-1-again", "PENDING"}, []string{"from checkpoint mnist-1@20"})
	if j := f.job("mnist"); j.Id != "mnist-1-again" || len(j.Checkpoints) != 2 {
		t.Errorf("the name stands for %v", j)
	}
	command(t, "job", "delete", "mnist-1").wantOut(t, "mnist-1\n")
	command(t, "job", "delete", "mnist", "--force").wantOut(t, "mnist-1-again\n")
	command(t, "job", "delete", "mnist").want(t, codeNotFound, nil, nil)
	command(t, "job", "list", "-o", "name").wantOut(t, "iris-1\n")
}

func TestListFilters(t *testing.T) {
	f, _ := twoJobs(t)
	f.job("iris-1").Labels = map[string]string{"team": "plants"}
	command(t, "job", "list", "--state", "running", "-o", "name").wantOut(t, "mnist-1\n")
	command(t, "job", "list", "--state", "PENDING,failed", "-o", "name").wantOut(t, "iris-1\n")
	command(t, "job", "list", "--label", "team=plants", "-o", "name").wantOut(t, "iris-1\n")
	command(t, "job", "list", "--label", "team=", "-o", "json").wantOut(t, "[]\n")
	command(t, "job", "list", "--state", "dead").want(t, codeUsage, nil, []string{"want one of PENDING, RUNNING"})
}

// TestUnplaceable: a job that nobody takes up ends the wait with code 6; a run with too few workers does not begin.
func TestUnplaceable(t *testing.T) {
	f, _ := twoJobs(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "j.yaml")
	if err := os.WriteFile(filepath.Join(dir, "x.csv"), []byte("a,y\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`
spec:
  dataset: {format: csv, source: ., train: {file: x.csv}, target: {column: y, type: number}}
  model: {layers: [{type: dense, units: 1}]}
  loss: {type: mse}
  parallelism: {workers: {min: 3, max: 3}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "job", "submit", file, "-d", "--wait-placed", "50ms").want(t, codeUnplaceable, nil, []string{"j-1 was not placed within 50ms", "waits for workers"})
	if f.job("j-1") == nil {
		t.Error("the job has left the queue")
	}
	command(t, "run", file, "--workers", "2").want(t, codeUnplaceable, nil, []string{"at least 3 workers", "--workers 3"})
}
