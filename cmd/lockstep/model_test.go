package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"lockstep/internal/artifact"
	"lockstep/internal/ckpt"
	"lockstep/internal/export"
)

func modelState(step uint64) *ckpt.State {
	return &ckpt.State{Step: step, Tensors: []ckpt.Tensor{
		{Name: "param/dense.kernel", Shape: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, float32(step)}},
		{Name: "slot/m/dense.kernel", Shape: []int{2, 3}, Data: make([]float32, 6)},
	}}
}

func digestOf(t *testing.T, s *ckpt.State) string {
	t.Helper()
	d, err := export.Digest(artifact.Tensors(s))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sha(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TestExport: what sha256sum says of the file is the job's digest.
func TestExport(t *testing.T) {
	f, _ := twoJobs(t)
	t.Chdir(t.TempDir())
	f.checkpoint("mnist-1", modelState(100))
	f.finish("mnist-1", digestOf(t, modelState(100)))
	want := f.job("mnist-1").ModelDigest

	command(t, "model", "export", "mnist").want(t, 0, []string{"mnist.safetensors", want}, nil)
	text, err := os.ReadFile("mnist.safetensors")
	if err != nil || sha(text) != want {
		t.Errorf("the file is %s, %v; want %s", sha(text), err, want)
	}
	r := command(t, "model", "export", "mnist", "--output", "-")
	if r.want(t, 0, nil, []string{want}); sha([]byte(r.out)) != want {
		t.Errorf("standard output is %s, want %s", sha([]byte(r.out)), want)
	}
	var e exported
	if err := json.Unmarshal([]byte(command(t, "model", "export", "mnist", "--output", "m.st", "-o", "json").out), &e); err != nil {
		t.Fatal(err)
	}
	if e != (exported{Job: "mnist-1", Step: 100, File: "m.st", Format: "safetensors", Bytes: int64(len(text)), Digest: want}) {
		t.Errorf("tells of %+v", e)
	}
}

// TestExportOfWrongModel writes nothing and ends with code 7.
func TestExportOfWrongModel(t *testing.T) {
	f, _ := twoJobs(t)
	t.Chdir(t.TempDir())
	f.checkpoint("mnist-1", modelState(90))
	f.finish("mnist-1", digestOf(t, modelState(100)))
	command(t, "model", "export", "mnist").want(t, codeUnverified, nil, []string{"digest differs", f.job("mnist-1").ModelDigest})
	r := command(t, "model", "export", "mnist", "--output", "-")
	r.want(t, codeUnverified, nil, nil)
	if r.out != "" || len(files(t)) > 0 {
		t.Errorf("wrote %d bytes and %v", len(r.out), files(t))
	}
}

// TestExportOfDamagedChunk names the chunk's corruption and writes nothing.
func TestExportOfDamagedChunk(t *testing.T) {
	f, _ := twoJobs(t)
	t.Chdir(t.TempDir())
	f.checkpoint("mnist-1", modelState(100))
	for _, data := range f.chunks {
		data[len(data)/2] ^= 1
	}
	command(t, "model", "export", "mnist").want(t, codeError, nil, []string{"corrupt"})
	if len(files(t)) > 0 {
		t.Errorf("wrote %v", files(t))
	}
}

func TestExportBeforeTheEnd(t *testing.T) {
	f, _ := twoJobs(t)
	t.Chdir(t.TempDir())
	command(t, "model", "export", "iris").want(t, codeError, nil, []string{"no committed checkpoint"})
	command(t, "model", "export", "nothing").want(t, codeNotFound, nil, nil)
	f.checkpoint("mnist-1", modelState(20))
	command(t, "model", "export", "mnist").want(t, 0, []string{digestOf(t, modelState(20))}, []string{"has not ended: this is its model at step 20"})
}
