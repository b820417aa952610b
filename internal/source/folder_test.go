package source

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes files below dir.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func tree(t testing.TB, source string) Tree {
	t.Helper()
	tr, err := Open(source)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"b.csv": "hello", "a/z.png": "1", "a/b/y.png": "2", "a.txt": "3"})
	if err := os.Symlink("b.csv", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{dir, "file://" + dir, "file://localhost" + dir} {
		tr := tree(t, source)
		f, err := tr.Open(t.Context(), "link")
		if err != nil {
			t.Fatal(err)
		}
		var tail [4]byte
		n, atErr := f.ReadAt(tail[:], 3)
		all, err := io.ReadAll(f)
		if string(all) != "hello" || err != nil || n != 2 || atErr != io.EOF || f.Size() != 5 || f.Name() != filepath.Join(dir, "link") {
			t.Errorf("read %q, %v; at 3 %d, %v; size %d, name %s", all, err, n, atErr, f.Size(), f.Name())
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		for folder, want := range map[string][]string{
			"":    {"a.txt", "a/b/y.png", "a/z.png", "b.csv", "link"},
			"a":   {"a/b/y.png", "a/z.png"},
			"a/b": {"a/b/y.png"},
		} {
			if got, err := tr.List(t.Context(), folder); !slices.Equal(got, want) || err != nil {
				t.Errorf("List(%q) = %q, %v, want %q", folder, got, err, want)
			}
		}
	}
	f, err := tree(t, filepath.Join(dir, "b.csv")).Open(t.Context(), "")
	if err != nil || f.Size() != 5 {
		t.Fatal(err)
	}
	f.Close()
}

func TestFolderRefuses(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"secret": "s"})
	write(t, dir, map[string]string{"a/f": "1"})
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"../x": `file "../x" is not inside`, "/etc/passwd": "is not inside", "a/../../x": "is not inside",
		"out": "escapes", "a": "is a folder", "none": "no such file", "": "is a folder", "a/f/g": "not a directory",
	} {
		if f, err := tree(t, dir).Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, %v, want %q", name, f, err, want)
		} else if strings.Count(err.Error(), dir) != 1 {
			t.Errorf("Open(%q): %q does not tell where", name, err)
		}
	}
	for name, want := range map[string]string{"..": "is not inside", "none": "no such file", "": "escapes"} {
		if _, err := tree(t, dir).List(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("List(%q): %v, want %q", name, err, want)
		}
	}
}

func TestReadsEndWithTheirContext(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"f": "1"})
	ctx, cancel := context.WithCancelCause(t.Context())
	f, err := tree(t, dir).Open(ctx, "f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stop := errors.New("stop")
	cancel(stop)
	if _, err := f.Read(make([]byte, 1)); err != stop {
		t.Error(err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err != stop {
		t.Error(err)
	}
}
