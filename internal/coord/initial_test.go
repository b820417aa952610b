package coord

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/export"
	"lockstep/internal/spec"
)

// withInit is a specification that begins with weights.
func withInit(t *testing.T, from *spec.InitFrom) []byte {
	t.Helper()
	j, err := spec.FromCanonical(testSpec(t))
	if err != nil {
		t.Fatal(err)
	}
	j.Spec.InitFrom = from
	return j.Canonical()
}

// TestInitialWeightsArePinned: the weights of a checkpoint and the same ones from a file have one digest, and their
// chunks stay as long as the job does.
func TestInitialWeightsArePinned(t *testing.T) {
	q := newQuorum(t)
	c := q.clients[(q.leader()+1)%3]
	source := q.jobWithCheckpoints()
	s := &ckpt.State{Step: 30, Tensors: []ckpt.Tensor{
		{Name: "param/dense/kernel", Shape: []int{2}, Data: []float32{1, 2}}, {Name: "export/dense/kernel", Shape: []int{2}, Data: []float32{3, 4}}}}
	q.commit(source, s)
	file := filepath.Join(t.TempDir(), "w.safetensors")
	var text bytes.Buffer
	if err := export.WriteSafetensors(&text, []export.Tensor{{Name: "dense/kernel", Shape: []int{2}, Data: []float32{3, 4}}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := c.PutFile(q.context(), file)
	if err != nil {
		t.Fatal(err)
	}
	submit := func(from *spec.InitFrom, brought *lockstepv1.Checkpoint) (*lockstepv1.Job, error) {
		return c.SubmitJob(q.context(), &lockstepv1.SubmitJobRequest{Spec: withInit(t, from), Initial: brought})
	}
	ofJob, err1 := submit(&spec.InitFrom{Checkpoint: source.Id}, nil)
	ofStep, err2 := submit(&spec.InitFrom{Checkpoint: source.Id + "@30"}, nil)
	ofFile, err3 := submit(&spec.InitFrom{File: "file://" + file}, k)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	if d := digestOf(text.Bytes()); ofJob.Initial.Id != d || ofFile.Initial.Id != d || !bytes.Contains(ofJob.Spec, []byte(d)) {
		t.Errorf("pinned are %s and %s, want %s", ofJob.Initial.Id, ofFile.Initial.Id, d)
	}
	if !bytes.Equal(ofJob.SpecHash, ofFile.SpecHash) || bytes.Equal(ofJob.SpecHash, ofStep.SpecHash) {
		t.Error("the hash does not follow from the weights alone")
	}
	n := q.nodes[q.leader()]
	n.collectOnce(time.Now().Add(2 * graceTime))
	got, err := c.Weights(q.context(), ofStep.Initial)
	if err != nil || len(got) != 1 || got[0].Data[0] != 1 {
		t.Errorf("the weights at step 30 are %v, %v", got, err)
	}
}

func TestInitialWeightsAreRefused(t *testing.T) {
	q := newQuorum(t)
	c := q.clients[q.leader()]
	good := filepath.Join(t.TempDir(), "w")
	if err := os.WriteFile(good, []byte("no safetensors"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad, err := c.PutFile(q.context(), good)
	if err != nil {
		t.Fatal(err)
	}
	wrong := &lockstepv1.Checkpoint{Id: "sha256:00", Size: bad.Size, Chunks: bad.Chunks, Root: bad.Root}
	for name, r := range map[string]struct {
		from *spec.InitFrom
		file *lockstepv1.Checkpoint
		code codes.Code
		want string
	}{
		"unknown job":    {&spec.InitFrom{Checkpoint: "nobody@best"}, nil, codes.NotFound, `no job "nobody"`},
		"no file":        {&spec.InitFrom{File: "file:///w"}, nil, codes.InvalidArgument, "lockstep job submit"},
		"no manifest":    {&spec.InitFrom{File: "file:///w"}, &lockstepv1.Checkpoint{Id: "x"}, codes.InvalidArgument, "checkpoint"},
		"no safetensors": {&spec.InitFrom{File: "file:///w"}, bad, codes.InvalidArgument, "safetensors"},
		"a wrong digest": {&spec.InitFrom{File: "file:///w"}, wrong, codes.InvalidArgument, "safetensors"},
	} {
		_, err := c.SubmitJob(q.context(), &lockstepv1.SubmitJobRequest{Spec: withInit(t, r.from), Initial: r.file})
		if status.Code(err) != r.code || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%s: %v, want %v with %q", name, err, r.code, r.want)
		}
	}
}
