package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"lockstep/internal/spec"
)

// noDir is where nothing can be stored.
func noDir(t *testing.T) string {
	return filepath.Join(folder(t, map[string][]byte{"file": nil}), "file")
}

// storedNpz is npzFile without compression.
func storedNpz(t *testing.T, arrays map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range arrays {
		e, err := w.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
		if err == nil {
			_, err = e.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inPlace are datasets of 3000 records, larger than the bound of the tests, of every format that is read where it lies, each with
// one of the same records that is not.
func inPlace(t *testing.T) (dir string, pairs map[string][2]spec.Dataset) {
	t.Helper()
	const n, size = 3000, 50
	r := rand.New(rand.NewPCG(3, 4))
	pixels, floats, labels, targets := make([]byte, n*size), make([]float32, n*size), make([]byte, n), make([]float64, 2*n)
	rand.NewChaCha8([32]byte{5}).Read(pixels)
	for i := range floats {
		floats[i] = r.Float32()
	}
	for i := range labels {
		labels[i] = byte(r.IntN(4))
	}
	for i := range targets {
		targets[i] = r.NormFloat64()
	}
	arrays := map[string][]byte{"x_train": npyFile("<f4", false, "(3000, 50)", floats), "y_train": npyFile("|u1", false, "(3000,)", labels)}
	dir = folder(t, map[string][]byte{
		"x.idx": idxFile(idxUbyte, []uint32{n, 5, 10}, pixels), "y.idx": idxFile(idxUbyte, []uint32{n}, labels),
		"f.idx": idxFile(idxFloat, []uint32{n, size}, floats),
		"x.npy": npyFile("|u1", false, "(3000, 5, 5, 2)", pixels), "y.npy": npyFile(">f8", false, "(3000, 2)", targets),
		"a.npz": storedNpz(t, arrays), "b.npz": npzFile(arrays),
	})
	for _, name := range []string{"x.idx", "y.idx", "f.idx", "x.npy", "y.npy"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".gz"), zipped(content), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	pair := func(format, x, y string) (p [2]spec.Dataset) {
		for i, end := range []string{"", ".gz"} {
			p[i] = spec.Dataset{Format: format, Train: spec.Files{Images: x + end, Labels: y + end}, Split: &spec.Split{Train: 0.7, Val: 0.2, Test: 0.1},
				Preprocessing: []spec.Preprocessor{{Type: "standardize"}}}
		}
		return p
	}
	npz := [2]spec.Dataset{{Format: "npz", Train: spec.Files{File: "a.npz"}, Split: &spec.Split{Train: 0.8, Val: 0.1, Test: 0.1}}, {}}
	npz[1] = npz[0]
	npz[1].Train.File = "b.npz"
	return dir, map[string][2]spec.Dataset{"idx": pair("idx", "x.idx", "y.idx"), "idx of floats": pair("idx", "f.idx", "y.idx"),
		"npy": pair("npy", "x.npy", "y.npy"), "npz": npz}
}

// Records whose place in a file can be told are read from there as they are asked for: nothing is stored, and all is as it is with a
// copy on disk and in memory, also from a web server.
func TestReadInPlace(t *testing.T) {
	dir, pairs := inPlace(t)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	for name, pair := range pairs {
		for _, source := range []string{dir, server.URL} {
			plain, packed := pair[0], pair[1]
			plain.Source, packed.Source = source, dir
			ctx, cancel := context.WithCancel(t.Context())
			small, err := OpenWith(ctx, plain, 5, Options{Memory: 64 << 10, Dir: noDir(t)})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			cancel() // it is of the opening alone
			copied, err := OpenWith(t.Context(), packed, 5, Options{Memory: 64 << 10, Dir: t.TempDir()})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if small.InMemory() || copied.InMemory() {
				t.Fatal("the bound has no effect")
			}
			if a, b, c := small.Info(), copied.Info(), opened(t, packed, 5).Info(); !reflect.DeepEqual(a, b) || !reflect.DeepEqual(a, c) {
				t.Errorf("%s: %+v\nwant %+v\nand %+v", name, a, b, c)
			}
			compareSplits(t, small, copied)
			if err := errors.Join(small.Close(), copied.Close()); err != nil {
				t.Error(err)
			}
			if _, err := OpenWith(t.Context(), packed, 5, Options{Memory: 64 << 10, Dir: noDir(t)}); err == nil || !strings.Contains(err.Error(), "keep records on disk") {
				t.Errorf("%s: what is compressed needs a copy: %v", name, err)
			}
		}
	}
}

// A file that changes while it is in use is an error, with the record, and never other data.
func TestChangedInPlace(t *testing.T) {
	dir, pairs := inPlace(t)
	d := pairs["idx"][0]
	d.Source = dir
	ds, err := OpenWith(t.Context(), d, 5, Options{Memory: 64 << 10, Dir: noDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer ds.Close()
	f, err := os.OpenFile(filepath.Join(dir, "x.idx"), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt(binary.BigEndian.AppendUint64(nil, 1), 16)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	s := ds.Split("train")
	var b Batch
	for i := s.Len() - 1; i >= 0; i-- { // the first records leave the memory, if they are there
		err = s.Read(&b, []int{i}, 0)
		if _, n := s.Record(i); err != nil && n > 1310 {
			t.Fatalf("record %d: %v", n, err)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "x.idx: record ") || !strings.Contains(err.Error(), "are not what they were: the file was changed") {
		t.Error(err)
	}
}
