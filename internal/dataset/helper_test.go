package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/internal/spec"
)

// folder writes files into a new folder.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func zipped(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(content)
	w.Close()
	return b.Bytes()
}

const (
	idxUbyte  = 0x08
	idxByte   = 0x09
	idxShort  = 0x0B
	idxInt    = 0x0C
	idxFloat  = 0x0D
	idxDouble = 0x0E
)

// idxFile lays out an idx file; data are the elements in the type's Go form.
func idxFile(kind byte, dims []uint32, data any) []byte {
	b := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	b, err := binary.Append(b, binary.BigEndian, data)
	if err != nil {
		panic(err)
	}
	return b
}

// csvSpec gives the spec of a csv dataset with one file and a category called class.
func csvSpec(dir string) spec.Dataset {
	return spec.Dataset{Format: "csv", Source: dir, Train: spec.Files{File: "a.csv"}, Target: &spec.Target{Column: "class", Type: "category"}}
}

func idxSpec(dir string) spec.Dataset {
	return spec.Dataset{Format: "idx", Source: dir, Train: spec.Files{Images: "x", Labels: "y"}}
}

// opened opens a dataset that has to be good.
func opened(t testing.TB, d spec.Dataset, seed uint64) *Dataset {
	t.Helper()
	ds, err := Open(t.Context(), d, seed)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// whole reads all of a split.
func whole(t testing.TB, s *Split) Batch {
	t.Helper()
	var b Batch
	if err := s.Read(&b, every(s.Len()), 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// refused checks the message of the error that d gives, without its folder.
func refused(t *testing.T, d spec.Dataset, lim limits, dir, want string) {
	t.Helper()
	_, err := open(t.Context(), d, 1, lim)
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	if got := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""); got != want {
		t.Errorf("error  %s\nwant   %s", got, want)
	}
}

// opener opens a file in memory.
func opener(content []byte) (*file, error) {
	return newFile("memory", bytes.NewReader(content), io.NopCloser(nil))
}
