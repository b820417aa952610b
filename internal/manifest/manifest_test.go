package manifest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

func cutFiles(t testing.TB, files map[string][]byte) (*Manifest, [][]byte) {
	t.Helper()
	var chunks [][]byte
	m, err := Cut(slices.Sorted(maps.Keys(files)), func(name string) (io.ReadCloser, error) {
		return io.NopCloser(iotest.HalfReader(bytes.NewReader(files[name]))), nil
	}, func(i int, chunk []byte) error {
		if i != len(chunks) {
			t.Errorf("chunk %d after %d", i, len(chunks))
		}
		chunks = append(chunks, slices.Clone(chunk))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, chunks
}

func TestCut(t *testing.T) {
	files := map[string][]byte{"a": random(1, 3<<20+17), "b/1": random(2, 1000), "b/2": {}, "b/3": random(3, ownChunk-1), "c": random(4, ownChunk), "d": []byte("x")}
	m, chunks := cutFiles(t, files)
	var all, want []byte
	for i, c := range chunks {
		if m.Chunks[i].Size != len(c) || m.Chunks[i].Hash != sha256.Sum256(c) || len(c) > ChunkSize {
			t.Errorf("chunk %d does not fit", i)
		}
		all = append(all, c...)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		want = append(want, files[name]...)
	}
	if !bytes.Equal(all, want) || m.Size() != int64(len(want)) {
		t.Error("the chunks are not the files")
	}
	b, root := m.Encode()
	got, err := Decode(b)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%+v, %v", got, err)
	}
	if again, _ := cutFiles(t, files); !reflect.DeepEqual(again, m) {
		t.Error("cut another way the second time")
	}
	// What is the same in another version is the same chunk.
	files["a0"], files["b/1"] = random(9, 40), random(10, 900)
	changed, _ := cutFiles(t, files)
	if _, other := changed.Encode(); other == root {
		t.Error("another dataset has the same root")
	}
	same := 0
	for _, c := range changed.Chunks {
		if slices.Contains(m.Chunks, c) {
			same++
		}
	}
	if same < 4 {
		t.Errorf("%d of %d chunks are the same", same, len(m.Chunks))
	}
}

func TestCutRefuses(t *testing.T) {
	none := func(int, []byte) error { return nil }
	open := func(string) (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(errors.New("broken"))), nil }
	for want, names := range map[string][]string{"not sorted": {"b", "a"}, `"../x"`: {"../x"}, "broken": {"a"}, "no files": {}} {
		if _, err := Cut(names, open, none); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", names, err, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	m, _ := cutFiles(t, map[string][]byte{"a": []byte("hello"), "b": []byte("x")})
	good, _ := m.Encode()
	change := func(f func(*Manifest)) []byte {
		c := Manifest{slices.Clone(m.Files), slices.Clone(m.Chunks)}
		f(&c)
		b, _ := c.Encode()
		return b
	}
	for want, b := range map[string][]byte{
		"begin with":   []byte("LKDATA2\n"),
		"too early":    []byte(header + "\x01\x05a"),
		"entries":      good[:len(good)-1],
		"after":        append(slices.Clone(good), 0),
		"differ":       change(func(m *Manifest) { m.Files[0].Size++ }),
		`"../a"`:       change(func(m *Manifest) { m.Files[0].Name = "../a" }),
		"out of order": change(func(m *Manifest) { m.Files[0].Name = "b" }),
		"no files":     change(func(m *Manifest) { m.Files, m.Chunks = nil, nil }),
		"one form":     slices.Concat(good[:8], []byte{0x82, 0}, good[9:]),
	} {
		if _, err := Decode(b); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	m, _ := cutFiles(f, map[string][]byte{"a": []byte("hello"), "b/c": random(1, 2<<20)})
	b, _ := m.Encode()
	f.Add(b)
	f.Add(b[:20])
	f.Add([]byte(header + "\x01\x01a\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Error(err)
			}
			return
		}
		if again, _ := m.Encode(); !bytes.Equal(again, b) {
			t.Error("another encoding")
		}
		for _, f := range m.Files {
			if !ValidName(f.Name) || f.Size < 0 {
				t.Errorf("%+v", f)
			}
		}
	})
}
