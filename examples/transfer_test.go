package examples_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"lockstep/internal/spec"
	"lockstep/internal/testcluster"
)

// transferResult is the part of `lockstep run -o json` that is of use here.
type transferResult struct {
	ModelDigest string `json:"model_digest"`
	Metrics     map[string]float64
}

// runIn trains a specification in a directory, on a cluster whose data is in data there.
func runIn(t *testing.T, dir, file, workers string) (r transferResult) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testcluster.Binary(t, "lockstep"), "run", file, "--workers", workers, "--coordinators", "1",
		"--data-dir", filepath.Join(dir, "data"), "-o", "json")
	cmd.Dir = dir
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		t.Fatalf("lockstep run %s: %v\n%s", file, err, messages.Bytes())
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("lockstep run printed %s: %v", out.Bytes(), err)
	}
	return r
}

// TestTransfer: a tenth of the data is learned better by a network whose hidden layers have seen other digits than from
// scratch. The weights may come from the other job or from its file: the result is the same, bit by bit.
func TestTransfer(t *testing.T) {
	dir := t.TempDir()
	few, err := spec.Load("transfer/finetune.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, init *spec.InitFrom) string {
		few.Spec.InitFrom, few.Spec.Model.Freeze = init, nil
		few.Metadata.Name = name
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, few.Canonical(), 0o666); err != nil {
			t.Fatal(err)
		}
		return file
	}
	pretrain, err := filepath.Abs("transfer/pretrain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	runIn(t, dir, pretrain, "2")
	scratch := runIn(t, dir, write("scratch", nil), "2")
	hidden := []string{"hidden_*"}
	fromJob := runIn(t, dir, write("from-job", &spec.InitFrom{Checkpoint: "digits-half", Freeze: hidden}), "3")
	fromFile := runIn(t, dir, write("from-file", &spec.InitFrom{File: "digits-half.safetensors", Freeze: hidden}), "1")
	a, b := fromJob.Metrics["test_accuracy"], scratch.Metrics["test_accuracy"]
	t.Logf("test accuracy: fine-tuned %.3f, from scratch %.3f", a, b)
	if a < b+0.1 || a < 0.8 {
		t.Errorf("fine-tuned %v, from scratch %v", a, b)
	}
	if fromJob.ModelDigest != fromFile.ModelDigest {
		t.Errorf("with the job's weights %s, with its file's %s", fromJob.ModelDigest, fromFile.ModelDigest)
	}
}
