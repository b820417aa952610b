package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"lockstep/internal/manifest"
)

func keyOf(s string) Key { return sha256.Sum256([]byte(s)) }

func TestCache(t *testing.T) {
	dir := t.TempDir()
	c, err := OpenCache(dir, 3*(1000+32), quiet())
	if err != nil {
		t.Fatal(err)
	}
	block := func(s string) []byte { return bytes.Repeat([]byte(s), 1000) }
	for _, s := range []string{"a", "b", "c"} {
		c.Put(keyOf(s), block(s))
	}
	c.Get(keyOf("a"))
	c.Put(keyOf("d"), block("d")) // b is the one used least recently
	for _, s := range []string{"a", "c", "d"} {
		if !bytes.Equal(c.Get(keyOf(s)), block(s)) {
			t.Errorf("%s is not there", s)
		}
	}
	if c.Get(keyOf("b")) != nil {
		t.Error("b is there")
	}
	// Damaged, cut off, and half-written.
	damage := func(s string, f func([]byte) []byte) {
		b, err := os.ReadFile(c.path(keyOf(s)))
		if err == nil {
			err = os.WriteFile(c.path(keyOf(s)), f(b), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	damage("a", func(b []byte) []byte { b[500] ^= 1; return b })
	damage("c", func(b []byte) []byte { return b[:20] })
	if c.Get(keyOf("a")) != nil || c.Get(keyOf("c")) != nil {
		t.Error("damaged blocks are taken for good")
	}
	if _, err := os.Stat(c.path(keyOf("a"))); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	again, err := OpenCache(dir, 100, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(dir); again.Get(keyOf("d")) != nil || len(list) > 0 {
		t.Errorf("a smaller bound leaves %v, %v", list, err)
	}
	if (*Cache)(nil).Get(keyOf("a")) != nil {
		t.Error("no cache has something")
	}
	if _, err := OpenCache(filepath.Join(dir, "f\x00"), 1, quiet()); err == nil {
		t.Error("a folder that cannot be made")
	}
}

// pushedSet is a manifest with its chunks.
func pushedSet(t *testing.T, dir string) (*manifest.Manifest, map[manifest.Hash][]byte) {
	t.Helper()
	tr := tree(t, dir)
	names, err := tr.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	chunks := map[manifest.Hash][]byte{}
	m, err := manifest.Cut(names, func(name string) (io.ReadCloser, error) { return tr.Open(t.Context(), name) }, func(_ int, b []byte) error {
		chunks[sha256.Sum256(b)] = slices.Clone(b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, chunks
}

func TestPushed(t *testing.T) {
	dir := t.TempDir()
	big := string(content(3*blockSize + 17))
	files := map[string]string{"a/1": "one", "a/2": "", "a/3": "three", "big": big, "z": "last"}
	write(t, dir, files)
	m, chunks := pushedSet(t, dir)
	cache, err := OpenCache(t.TempDir(), 100<<20, quiet())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	fetched := 0
	fetch := func(_ context.Context, h manifest.Hash) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		fetched++
		return chunks[h], nil
	}
	tr := Pushed("dataset://set", m, cache, fetch)
	f, err := tr.Open(t.Context(), "a/3")
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, f, []byte("three"))
	if fetched != 1 {
		t.Errorf("%d chunks fetched for one small file", fetched)
	}
	for name, want := range files {
		f, err := tr.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		wantContent(t, f, []byte(want))
	}
	if fetched != len(m.Chunks) {
		t.Errorf("%d chunks fetched, there are %d", fetched, len(m.Chunks))
	}
	tr = Pushed("dataset://set", m, cache, func(context.Context, manifest.Hash) ([]byte, error) { return nil, errors.New("none") })
	if f, err = tr.Open(t.Context(), "big"); err != nil {
		t.Fatal(err)
	}
	wantContent(t, f, []byte(big)) // from the cache
	if names, err := tr.List(t.Context(), "a"); err != nil || !slices.Equal(names, []string{"a/1", "a/2", "a/3"}) {
		t.Error(names, err)
	}
	for name, want := range map[string]string{"b": "no such file", "": "not exist", "../a": "is not inside", "a": "not exist"} {
		if _, err := tr.Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tr = Pushed("dataset://set", m, nil, func(context.Context, manifest.Hash) ([]byte, error) { return []byte("other"), nil })
	if f, err = tr.Open(t.Context(), "z"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, errOtherBytes) || !strings.Contains(err.Error(), "dataset://set") {
		t.Error(err)
	}
}
