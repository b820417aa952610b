package ckpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// filled makes the file of a closed store with chunks of many sizes and some free pages. It returns its bytes, without
// the hole at the end, and the chunks.
func filled(t *testing.T) (file []byte, chunks map[Hash][]byte) {
	t.Helper()
	s := newStore(t)
	chunks = map[Hash][]byte{}
	for i := range 150 { // more than one leaf page of hashes
		data := random(uint64(i), []int{40, 700, 5000, 20000}[i%4])
		h := mustPut(t, s, data)
		if i%5 == 4 {
			if err := s.Delete(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			continue
		}
		chunks[h] = data
	}
	st, err := s.Stats(t.Context())
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	file, err = os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	return file[:st.FileBytes], chunks
}

// writeFile puts data into a new file, in memory where that is possible: hundreds of files here need no disk.
func writeFile(t *testing.T, data []byte) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ckpt")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "chunks.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlippedBitCostsOneChunk(t *testing.T) {
	file, chunks := filled(t)
	for h, data := range chunks {
		if len(data) < 20000 {
			continue
		}
		bad := flipped(file, data)
		s := openStore(t, writeFile(t, bad), Options{})
		expectError(t, s, h, ErrCorrupt)
		for other, data := range chunks {
			if other != h {
				expect(t, s, other, data)
			}
		}
		checkQuarantine(t, s, h, data)
		return
	}
}

// checkQuarantine takes the bad chunk h through quarantine, its replacement and its removal.
func checkQuarantine(t *testing.T, s *Store, h Hash, good []byte) {
	t.Helper()
	if err := s.Quarantine(h, "bad bits"); err != nil {
		t.Fatal(err)
	}
	expectError(t, s, h, ErrNotFound)
	mustPut(t, s, good)
	expect(t, s, h, good)
	for _, hash := range []Hash{h, {1}} {
		if err := s.Quarantine(hash, "not bad, or not there"); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Quarantined(t.Context())
	if err != nil || len(list) != 1 || list[0] != (Quarantined{h, "bad bits"}) {
		t.Errorf("Quarantined = %v, %v", list, err)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Quarantined != 1 {
		t.Errorf("Stats = %+v, %v; want one quarantined", st, err)
	}
	all := func(Hash) bool { return true }
	if _, _, err := s.Collect(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Quarantined(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("Collect removed what it should keep: %v, %v", list, err)
	}
	if _, _, err := s.Collect(t.Context(), func(x Hash) bool { return x != h }); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Quarantined(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("Collect left %v, %v", list, err)
	}
}

// flipped returns a copy of the file with a bit of data flipped wherever data stands: pages that are no longer in use
// may hold it, too.
func flipped(file, data []byte) []byte {
	bad := bytes.Clone(file)
	for at := 0; ; {
		i := bytes.Index(bad[at:], data)
		if i < 0 {
			return bad
		}
		bad[at+i] ^= 1
		at += i + 1
	}
}

func TestPutReplacesABadChunk(t *testing.T) {
	file, chunks := filled(t)
	for h, data := range chunks {
		bad := flipped(file, data)
		s := openStore(t, writeFile(t, bad), Options{})
		mustPut(t, s, data)
		expect(t, s, h, data)
		list, err := s.Quarantined(t.Context())
		if err != nil || len(list) != 1 || list[0].Hash != h || !strings.HasPrefix(list[0].Reason, "replaced: ") {
			t.Errorf("Quarantined = %v, %v", list, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if len(data) == 20000 {
			return
		}
	}
}

func TestCompactLeavesBadChunksOut(t *testing.T) {
	file, chunks := filled(t)
	for h, data := range chunks {
		bad := flipped(file, data)
		s := openStore(t, writeFile(t, bad), Options{})
		if err := s.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		expectError(t, s, h, ErrNotFound)
		list, err := s.Quarantined(t.Context())
		if err != nil || len(list) != 1 || list[0].Hash != h {
			t.Errorf("Quarantined = %v, %v", list, err)
		}
		if err := s.Compact(t.Context()); err != nil { // keeps the list
			t.Fatal(err)
		}
		if list, err := s.Quarantined(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("Quarantined after another Compact = %v, %v", list, err)
		}
		if st, err := s.Stats(t.Context()); err != nil || st.Chunks != len(chunks)-1 {
			t.Errorf("Stats = %+v, %v; want %d chunks", st, err, len(chunks)-1)
		}
		return
	}
}

// TestDamagedIndex damages the pages that lead to the chunks. Whatever is hit, Open must come back with a store that
// gives no wrong bytes, takes new chunks, and has lost no more than what was hit.
func TestDamagedIndex(t *testing.T) {
	file, chunks := filled(t)
	r := rand.New(rand.NewPCG(3, 4))
	pages := len(file) / pageSize
	flip := func(from, to int) func(b []byte) {
		return func(b []byte) { b[from+r.IntN(to-from)] ^= 1 << r.IntN(8) }
	}
	type damage struct {
		name string
		lost int // chunks at most
		do   func(b []byte)
	}
	// One leaf page lists about 60 chunks, inline ones with their bytes: with the page gone, these are. A damaged meta page
	// makes bbolt take the one before it, which costs the last transaction.
	damages := []damage{
		{"nothing", 0, func([]byte) {}},
		{"newer meta", 1, func(b []byte) { clear(b[0:80]) }},
		{"other meta", 1, func(b []byte) { clear(b[pageSize : pageSize+80]) }},
		{"both metas", 0, func(b []byte) { clear(b[:2*pageSize]) }},
	}
	for p := 2; p < pages; p++ {
		at := p * pageSize
		if count := binary.NativeEndian.Uint16(file[at+10:]); count < 2 && p%16 != 0 {
			continue // of the chunks' own pages some will do
		}
		damages = append(damages,
			damage{fmt.Sprintf("header of page %d", p), 60, flip(at, at+16)},
			damage{fmt.Sprintf("first elements of page %d", p), 60, flip(at+16, at+80)},
			damage{fmt.Sprintf("page %d zero", p), 60, func(b []byte) { clear(b[at : at+pageSize]) }})
	}
	for _, d := range damages {
		bad := bytes.Clone(file)
		d.do(bad)
		if lost := survivors(t, d.name, bad, chunks); lost > d.lost {
			t.Errorf("%s: %d of %d chunks lost", d.name, lost, len(chunks))
		}
	}
}

// survivors opens a damaged file, uses it and returns how many chunks are lost.
func survivors(t *testing.T, name string, file []byte, chunks map[Hash][]byte) (lost int) {
	t.Helper()
	path := writeFile(t, file)
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer s.Close()
	for h, data := range chunks {
		switch got, err := s.Get(t.Context(), h); {
		case err == nil && !bytes.Equal(got, data):
			t.Fatalf("%s: wrong bytes", name)
		case errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNotFound):
			lost++
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		}
	}
	var mend sync.WaitGroup
	for h, data := range chunks {
		mend.Go(func() {
			if _, err := s.Put(t.Context(), data); err != nil {
				t.Errorf("%s: put: %v", name, err)
			}
			if got, err := s.Get(t.Context(), h); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: get after put: %d bytes, %v", name, len(got), err)
			}
		})
	}
	mend.Wait()
	if _, _, err := s.Collect(t.Context(), func(h Hash) bool { return chunks[h] != nil }); err != nil {
		t.Fatalf("%s: collect: %v", name, err)
	}
	return lost
}

func TestSalvage(t *testing.T) {
	file, chunks := filled(t)
	clear(file[:2*pageSize]) // nothing leads to anything any more
	path := writeFile(t, file)
	var log bytes.Buffer
	s := openStore(t, path, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for h, data := range chunks {
		expect(t, s, h, data)
	}
	if !strings.Contains(log.String(), "chunk store was damaged") {
		t.Errorf("log: %q", log.String())
	}
	if kept, err := os.ReadFile(path + damagedSuffix); err != nil || !bytes.Equal(kept, file) {
		t.Errorf("the damaged file was not kept: %v", err)
	}
	if _, err := os.Stat(path + salvageSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("salvage left its work: %v", err)
	}
}

func TestCutFile(t *testing.T) {
	file, chunks := filled(t)
	for _, n := range []int{1, pageSize, 2 * pageSize, 4 * pageSize, len(file) / 2, len(file) - pageSize, len(file) - 1} {
		lost := survivors(t, fmt.Sprintf("%d of %d bytes", n, len(file)), file[:n], chunks)
		if n > len(file)/3 && lost == len(chunks) {
			t.Errorf("cut to %d of %d bytes: nothing found", n, len(file))
		}
	}
}

// TestForeignFile: what is no chunk store is kept beside the new one.
func TestForeignFile(t *testing.T) {
	thesis := bytes.Repeat([]byte("not a chunk store. "), 5000)
	path := writeFile(t, thesis)
	s := openStore(t, path, Options{})
	mustPut(t, s, []byte("x"))
	if kept, err := os.ReadFile(path + damagedSuffix); err != nil || !bytes.Equal(kept, thesis) {
		t.Errorf("the file was not kept: %v", err)
	}
}

// TestDamageWhileOpen changes the file under an open store: what is read then faults, or does not make sense.
func TestDamageWhileOpen(t *testing.T) {
	file, chunks := filled(t)
	for name, damage := range map[string]func(f *os.File) error{
		"cut off": func(f *os.File) error { return f.Truncate(2 * pageSize) },
		"zeros":   func(f *os.File) error { return second(f.WriteAt(make([]byte, len(file)-2*pageSize), 2*pageSize)) },
		"ones": func(f *os.File) error {
			return second(f.WriteAt(bytes.Repeat([]byte{0xff}, len(file)-2*pageSize), 2*pageSize))
		},
	} {
		path := writeFile(t, file)
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(damage(f), f.Close()); err != nil {
			t.Fatal(err)
		}
		for h := range chunks {
			if _, err := s.Get(t.Context(), h); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
			s.Has(h)
		}
		if _, err := s.Stats(t.Context()); name == "cut off" && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: Stats: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
