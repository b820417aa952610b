package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/internal/job"
)

// badServer has files that are long enough for two blocks, and serves them well only under some of its paths:
//
//	/late/FILE   the first answer is 503, the next one ends midway; then all is well
//	/cut/FILE    the second block always ends midway
//	/stall/FILE  nothing comes after the headers
type badServer struct {
	files   map[string][]byte
	stalled chan struct{} // closed when a reader waits

	mu    sync.Mutex
	asked map[string][]time.Time // when each path was; under mu
}

func (s *badServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked[r.URL.Path] = append(s.asked[r.URL.Path], time.Now())
	n := len(s.asked[r.URL.Path])
	s.mu.Unlock()
	how, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.Header().Set("ETag", `"1"`)
	switch {
	case how == "late" && n == 1:
		http.Error(w, "not yet", http.StatusServiceUnavailable)
		return
	case how == "stall":
		w.Header().Set("Content-Range", "bytes 0-999999/1000000")
		w.WriteHeader(http.StatusPartialContent)
		w.(http.Flusher).Flush()
		if n == 1 {
			close(s.stalled)
		}
		<-r.Context().Done()
		return
	case how == "late" && n == 2, how == "cut" && strings.HasPrefix(r.Header.Get("Range"), "bytes=1048576-"):
		w = &midway{ResponseWriter: w}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.files[name]))
}

// midway ends the connection in the middle of an answer.
type midway struct{ http.ResponseWriter }

func (m *midway) Write(p []byte) (int, error) {
	m.ResponseWriter.Write(p[:len(p)/2])
	m.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// images are records of more than a mebibyte, and their labels.
func images() (n, side uint32, pixels, labels []byte) {
	n, side = 400, 64
	pixels, labels = make([]byte, n*side*side), make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(pixels)
	for i := range labels {
		labels[i] = pixels[i] % 3
	}
	return n, side, pixels, labels
}

// runImages starts a job on a dataset, in a process of its own.
func runImages(t *testing.T, name, dataset, memory string) *process {
	t.Helper()
	write(t, name+".yaml", fmt.Sprintf(formatSpec, name, dataset, "{type: flatten}, {type: dense, units: 3}", "cross_entropy"))
	return startProcess(t, nil, "run", name+".yaml", "-o", "json", "--coordinators", "1", "--workers", "1", "--data-dir", "data-"+name, "--memory-for-data", memory)
}

// digest waits for a job to end, and returns that of its model.
func (p *process) digest() string {
	p.t.Helper()
	r := p.wait()
	var v job.View
	if err := json.Unmarshal([]byte(r.out), &v); err != nil || r.code != 0 {
		p.t.Fatalf("%v\n%s%s", err, r.out, r.err)
	}
	return v.ModelDigest
}

// TestSameModelLargerThanMemory: the model is the same whether records are in memory, in a copy on disk, or read where they lie.
func TestSameModelLargerThanMemory(t *testing.T) {
	inRunFolder(t)
	n, side, pixels, labels := images()
	x, y := idx(t, 0x08, []uint32{n, side, side}, pixels), idx(t, 0x08, []uint32{n}, labels)
	nx, ny := npy(t, "|u1", fmt.Sprintf("(%d, %d, %d)", n, side, side), pixels), npy(t, "|u1", fmt.Sprintf("(%d,)", n), labels)
	for name, content := range map[string][]byte{"x": x, "y": y, "x.gz": gzipped(t, string(x)), "x.npy": nx, "y.npy": ny, "a.npz": npz(t, nx, ny)} {
		put(t, name, content)
	}
	jobs := map[string]*process{"memory": runImages(t, "memory", "format: idx, source: all, train: {images: x, labels: y}", "0")}
	for name, dataset := range map[string]string{
		"idx": "format: idx, source: all, train: {images: x, labels: y}",
		"gz":  "format: idx, source: all, train: {images: x.gz, labels: y}",
		"npy": "format: npy, source: all, train: {images: x.npy, labels: y.npy}",
		"npz": "format: npz, source: all, train: {file: a.npz}",
	} {
		jobs[name] = runImages(t, name, dataset, "256KiB")
	}
	want := jobs["memory"].digest()
	for name, p := range jobs {
		if p == jobs["memory"] {
			continue
		}
		if got := p.digest(); got != want {
			t.Errorf("%s: the model is %s, from memory %s", name, got, want)
		}
	}
}

// TestRunFromABadServer: a server that is late makes a job late, and it ends with the model that it has from files; one that never
// delivers fails it with the file and what went wrong; a reader that waits can be interrupted. Nothing half-written stays.
func TestRunFromABadServer(t *testing.T) {
	temp := inRunFolder(t)
	n, side, pixels, labels := images()
	s := &badServer{stalled: make(chan struct{}), asked: map[string][]time.Time{}, files: map[string][]byte{
		"x": idx(t, 0x08, []uint32{n, side, side}, pixels), "y": idx(t, 0x08, []uint32{n}, labels)}}
	put(t, "x", s.files["x"])
	put(t, "y", s.files["y"])
	server := httptest.NewServer(s)
	defer server.Close()
	begin := func(name, source string) *process {
		return runImages(t, name, "format: idx, source: \""+source+"\", train: {images: x, labels: y}", "256KiB")
	}
	cut, stall := begin("cut", server.URL+"/cut"), begin("stall", server.URL+"/stall")
	late, good := begin("late", server.URL+"/late"), begin("good", "all")
	if got, want := late.digest(), good.digest(); got != want {
		t.Errorf("the model is %s, from files %s", got, want)
	}
	s.mu.Lock()
	for path, at := range s.asked {
		if strings.HasPrefix(path, "/late/") && (at[1].Sub(at[0]) < 100*time.Millisecond || at[2].Sub(at[1]) < 200*time.Millisecond) {
			t.Errorf("%s was asked for at %v: no back-off", path, at)
		}
	}
	s.mu.Unlock()
	<-s.stalled
	stall.signal(os.Interrupt)
	now := time.Now()
	stall.wait().want(t, codeInterrupted, nil, []string{"interrupted; "})
	if took := time.Since(now); took > 25*time.Second { // the server would be given a minute, and a worker with something to lose half of one
		t.Errorf("the end took %v", took)
	}
	cut.wait().want(t, codeFailed, nil, []string{"read train files: " + server.URL + "/cut/x: ", "bytes 1048576 to 1638416: the connection ended after ", " of 589840 bytes (tried 6 times)"})
	for _, name := range []string{"cut", "stall"} {
		if _, err := os.Stat(name + ".safetensors"); err == nil {
			t.Errorf("%s left a model", name)
		}
	}
	wholeBlocks(t)
	checkEmpty(t, temp)
}

// wholeBlocks checks that what workers keep of data is whole, and nothing else there.
func wholeBlocks(t *testing.T) {
	t.Helper()
	kept, err := filepath.Glob("data-*/data/*/*")
	if err != nil || len(kept) == 0 {
		t.Error(kept, err)
	}
	for _, name := range kept {
		content, err := os.ReadFile(name)
		if err != nil || len(filepath.Base(name)) != 2*sha256.Size || len(content) < sha256.Size || sha256.Sum256(content[sha256.Size:]) != [sha256.Size]byte(content) {
			t.Errorf("%s of %d bytes is not a whole block: %v", name, len(content), err)
		}
	}
}
