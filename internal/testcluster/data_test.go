package testcluster

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// digitsText is the digits' file, unpacked.
func digitsText(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(Root(), "examples/data/digits.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestBadDataFailsTheJobAndNothingElse gives a cluster data that cannot be read, and then a job that can.
func TestBadDataFailsTheJobAndNothingElse(t *testing.T) {
	t.Parallel()
	text := digitsText(t)
	packed, err := os.ReadFile(filepath.Join(Root(), "examples/data/digits.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	wrong := bytes.Replace(lines[41], []byte(","), []byte(",x"), 1)
	bad := bytes.Join([][]byte{bytes.Join(lines[:41], nil), wrong, bytes.Join(lines[42:], nil)}, nil)
	c := Start(t, Options{Workers: 2})
	for _, x := range []struct {
		name, file string
		data       []byte
		want       []string
	}{
		{"truncated", "digits.csv.gz", packed[:len(packed)/2], []string{"digits.csv.gz", "record"}},
		{"wrong value", "digits.csv", bad, []string{"digits.csv", "record 42", "x"}},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, x.file), x.data, 0o644); err != nil {
			t.Fatal(err)
		}
		id := c.submitAs(x.name, digits(t, "metadata.name", strings.ReplaceAll(x.name, " ", "-"), "spec.dataset.source", "file://"+dir, "spec.dataset.train", "{file: "+x.file+"}"))
		j := c.WaitJob(id, "its failure", func(j *lockstepv1.Job) bool { return j.State == lockstepv1.JobState_JOB_STATE_FAILED })
		for _, w := range x.want {
			if !strings.Contains(j.Reason, w) {
				t.Errorf("%s: reason %q does not name %q", x.name, j.Reason, w)
			}
		}
		t.Log(j.Reason)
	}
	want(t, c.WaitDone(c.submitAs("good", digits(t))).ModelDigest)
}
