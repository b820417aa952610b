package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lockstep/internal/ckpt"
	"lockstep/internal/export"
)

// state has parameters, one of which is exported otherwise, and what belongs to training only.
func state() *ckpt.State {
	return &ckpt.State{Step: 7, Tensors: []ckpt.Tensor{
		{Name: "param/layers.0.weight", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}},
		{Name: "param/layers.0.bias", Shape: []int{2}, Data: []float32{5, 6}},
		{Name: "adam/m/layers.0.bias", Shape: []int{2}, Data: []float32{7, 8}},
		{Name: "export/layers.0.bias", Shape: []int{2}, Data: []float32{9, 10}},
		{Name: "parameter", Data: []float32{11}},
	}}
}

var model = []export.Tensor{
	{Name: "layers.0.bias", Shape: []int{2}, Data: []float32{9, 10}},
	{Name: "layers.0.weight", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}},
}

func TestTensors(t *testing.T) {
	if diff := cmp.Diff(model, Tensors(state())); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
}

// stored cuts a state into chunks.
func stored(t *testing.T, s *ckpt.State) (ckpt.Manifest, map[ckpt.Hash][]byte) {
	t.Helper()
	var text bytes.Buffer
	if err := ckpt.Encode(&text, s); err != nil {
		t.Fatalf("encode state: %v", err)
	}
	m, err := ckpt.BuildManifest(bytes.NewReader(text.Bytes()), int64(text.Len()))
	if err != nil {
		t.Fatalf("build manifest: %v", err)
	}
	chunks := map[ckpt.Hash][]byte{}
	for _, span := range ckpt.Split(int64(text.Len()), ckpt.ChunkSize) {
		data := text.Bytes()[span.Off : span.Off+int64(span.Len)]
		chunks[ckpt.HashOf(data)] = data
	}
	return m, chunks
}

func fetcher(chunks map[ckpt.Hash][]byte) ckpt.Fetch {
	return func(_ context.Context, h ckpt.Hash) ([]byte, error) {
		if c, ok := chunks[h]; ok {
			return c, nil
		}
		return nil, ckpt.ErrNotFound
	}
}

func TestLoad(t *testing.T) {
	s := state()
	big := make([]float32, ckpt.ChunkSize/2) // more than one chunk
	for i := range big {
		big[i] = rand.Float32()
	}
	s.Tensors = append(s.Tensors, ckpt.Tensor{Name: "param/z", Shape: []int{len(big)}, Data: big})
	m, chunks := stored(t, s)
	got, err := Load(t.Context(), m, fetcher(chunks))
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if !reflect.DeepEqual(got, Tensors(s)) {
		t.Error("the model loaded is not the one stored")
	}
}

func TestLoadRefuses(t *testing.T) {
	m, chunks := stored(t, state())
	bad := map[ckpt.Hash][]byte{}
	for h, c := range chunks {
		bad[h] = append(bytes.Clone(c[:len(c)-1]), c[len(c)-1]^1)
	}
	empty, emptyChunks := stored(t, &ckpt.State{Tensors: []ckpt.Tensor{{Name: "adam/m", Data: []float32{1}}}})
	wrongRoot := m
	wrongRoot.Root[0] ^= 1
	for name, c := range map[string]struct {
		m     ckpt.Manifest
		fetch ckpt.Fetch
		want  error
	}{
		"missing chunk": {m, fetcher(nil), ckpt.ErrNotFound},
		"corrupt chunk": {m, fetcher(bad), ckpt.ErrCorrupt},
		"wrong root":    {wrongRoot, fetcher(chunks), ckpt.ErrCorrupt},
		"no parameters": {empty, fetcher(emptyChunks), ckpt.ErrCorrupt},
	} {
		if _, err := Load(t.Context(), c.m, c.fetch); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
}

func digest(t *testing.T) string {
	t.Helper()
	d, err := export.Digest(model)
	if err != nil {
		t.Fatalf("digest: %v", err)
	}
	return d
}

// TestWriteFile: the file's SHA-256 is the digest, also over a file that was there.
func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	for range 2 {
		done, err := WriteFile(path, model, digest(t))
		if err != nil {
			t.Fatalf("write: %v", err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		sum := sha256.Sum256(text)
		if want := "sha256:" + hex.EncodeToString(sum[:]); done.Digest != want || digest(t) != want || done.Bytes != int64(len(text)) {
			t.Errorf("wrote %+v, the file is %s with %d bytes", done, want, len(text))
		}
	}
	checkFiles(t, filepath.Dir(path), "m.safetensors")
}

// TestWriteFileRefuses leaves what was there, and no litter.
func TestWriteFileRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteFile(path, model, "sha256:00"); !errors.Is(err, ErrDigest) {
		t.Errorf("wrong digest: error %v, want ErrDigest", err)
	}
	if _, err := WriteFile(path, []export.Tensor{{Name: ""}}, ""); err == nil || errors.Is(err, ErrDigest) {
		t.Errorf("bad tensor: error %v", err)
	}
	if _, err := WriteFile(filepath.Join(path, "x"), model, ""); err == nil {
		t.Error("wrote into a folder that is none")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
		t.Errorf("the old file is now %q, %v", text, err)
	}
	checkFiles(t, filepath.Dir(path), "m.safetensors")
}

func checkFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestWrite(t *testing.T) {
	var b bytes.Buffer
	if _, err := Write(&b, model, "sha256:00"); !errors.Is(err, ErrDigest) || b.Len() > 0 {
		t.Errorf("wrong digest: %v, %d bytes written", err, b.Len())
	}
	if done, err := Write(&b, model, digest(t)); err != nil || done.Digest != digest(t) || done.Bytes != int64(b.Len()) {
		t.Errorf("wrote %+v, %v; want %s", done, err, digest(t))
	}
}
