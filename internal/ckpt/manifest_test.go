package ckpt

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestSplitCoversOnce(t *testing.T) {
	for total := range int64(50) {
		for size := 1; size < 20; size++ {
			spans := Split(total, size)
			off := int64(0)
			for i, s := range spans {
				if s.Off != off || s.Len < 1 || s.Len > size || s.Len < size && i < len(spans)-1 {
					t.Fatalf("Split(%d, %d)[%d] = %v, want offset %d", total, size, i, s, off)
				}
				off += int64(s.Len)
			}
			if off != total || int64(len(spans)) != chunkCount(total, size) {
				t.Fatalf("Split(%d, %d) covers %d bytes in %d spans", total, size, off, len(spans))
			}
		}
	}
}

func TestHashText(t *testing.T) {
	h := HashOf([]byte("abc")) // FIPS 180-2, appendix B.1
	const want = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if h.String() != want {
		t.Errorf("String = %s", h)
	}
	text, err := json.Marshal(h)
	var back Hash
	if err = errors.Join(err, json.Unmarshal(text, &back)); err != nil || back != h || string(text) != `"`+want+`"` {
		t.Errorf("JSON round trip: %s, %v, %v", text, back, err)
	}
	for _, bad := range []string{"", want[7:], want + "0", want[:70], "sha512:" + want[7:], want[:70] + "x"} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("ParseHash(%q) accepted", bad)
		}
	}
	if _, err := HashFrom(h[:31]); err == nil {
		t.Error("HashFrom accepted 31 bytes")
	}
}

// chunked returns the manifest of data and a fetch from memory.
func chunked(t *testing.T, data []byte) (Manifest, map[Hash][]byte) {
	t.Helper()
	m, err := BuildManifest(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	chunks := map[Hash][]byte{}
	for _, s := range Split(int64(len(data)), ChunkSize) {
		c := data[s.Off : s.Off+int64(s.Len)]
		chunks[HashOf(c)] = c
	}
	return m, chunks
}

func fetchFrom(chunks map[Hash][]byte) Fetch {
	return func(_ context.Context, h Hash) ([]byte, error) {
		if c, ok := chunks[h]; ok {
			return c, nil
		}
		return nil, ErrNotFound
	}
}

func TestManifestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, ChunkSize - 1, ChunkSize, ChunkSize + 1, 2*ChunkSize + 5} {
		data := random(1, n)
		m, chunks := chunked(t, data)
		if err := m.Verify(); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		r, err := NewChunkReader(t.Context(), m, fetchFrom(chunks))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(iotest.HalfReader(r))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: read %d, %v", n, len(got), err)
		}
		var raw [][]byte
		for _, h := range m.Chunks {
			raw = append(raw, h[:])
		}
		again, err := ManifestFrom(m.Size, raw, m.Root[:])
		if diff := cmp.Diff(m, again); err != nil || diff != "" {
			t.Errorf("%d bytes: ManifestFrom: %v\n%s", n, err, diff)
		}
	}
	if _, err := BuildManifest(bytes.NewReader(nil), 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short reader: error %v", err)
	}
}

// TestManifestRoot fixes the root's definition, since committed checkpoints carry it. The value was computed from the
// definition with another language's SHA-256.
func TestManifestRoot(t *testing.T) {
	m, _ := chunked(t, make([]byte, ChunkSize+1))
	if got, want := hex.EncodeToString(m.Root[:]), "0a5dcff1b915123e05e4fca46e02820872839013a5163b7e7ea0c1fdb2318f98"; got != want {
		t.Errorf("root %s, want %s", got, want)
	}
}

func TestManifestVerifyRefuses(t *testing.T) {
	good, _ := chunked(t, random(1, 2*ChunkSize+5))
	for name, change := range map[string]func(m *Manifest){
		"size":          func(m *Manifest) { m.Size++ },
		"negative size": func(m *Manifest) { *m = NewManifest(-1, nil) },
		"root":          func(m *Manifest) { m.Root[31] ^= 1 },
		"chunk":         func(m *Manifest) { m.Chunks[1][0] ^= 1 },
		"order":         func(m *Manifest) { m.Chunks[0], m.Chunks[1] = m.Chunks[1], m.Chunks[0] },
		"one less":      func(m *Manifest) { m.Chunks = m.Chunks[:2] },
		"one less, own root": func(m *Manifest) {
			*m = NewManifest(m.Size, m.Chunks[:2])
		},
		"one more, own root": func(m *Manifest) { *m = NewManifest(m.Size, append(m.Chunks, Hash{})) },
	} {
		m := Manifest{good.Size, append([]Hash(nil), good.Chunks...), good.Root}
		change(&m)
		if err := m.Verify(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: Verify = %v, want ErrCorrupt", name, err)
		}
		if _, err := NewChunkReader(t.Context(), m, nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: NewChunkReader = %v, want ErrCorrupt", name, err)
		}
	}
	if _, err := ManifestFrom(5, [][]byte{{1}}, good.Root[:]); err == nil {
		t.Error("ManifestFrom accepted a hash of one byte")
	}
	if _, err := ManifestFrom(0, nil, good.Root[:3]); err == nil {
		t.Error("ManifestFrom accepted a root of three bytes")
	}
}

func TestChunkReaderVerifies(t *testing.T) {
	data := random(2, 3*ChunkSize)
	m, chunks := chunked(t, data)
	other := bytes.Clone(chunks[m.Chunks[1]])
	other[7] ^= 1
	for name, bad := range map[string][]byte{"flipped": other, "short": other[:9], "empty": {}, "long": append(other, 0)} {
		chunks[m.Chunks[1]] = bad
		r, err := NewChunkReader(t.Context(), m, fetchFrom(chunks))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if !errors.Is(err, ErrCorrupt) || !bytes.Equal(got, data[:ChunkSize]) {
			t.Errorf("%s: read %d bytes, %v; want the first chunk and ErrCorrupt", name, len(got), err)
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: a later Read forgot the error: %v", name, err)
		}
	}
	delete(chunks, m.Chunks[1])
	r, err := NewChunkReader(t.Context(), m, fetchFrom(chunks))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing chunk: %v", err)
	}
}
