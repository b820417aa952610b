package ckpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"
)

// findPage returns the offset of the first page of file that ok accepts.
func findPage(t *testing.T, file []byte, ok func(p page) bool) int {
	t.Helper()
	for at := 2 * pageSize; at < len(file); at += pageSize {
		p := page(file[at : at+pageSize])
		if p.id() == uint64(at/pageSize) && p.kind() <= leafPage && ok(p) {
			return at
		}
	}
	t.Fatal("no such page")
	return 0
}

// oneLess returns the bits to flip for n-1.
func oneLess(n byte) byte { return n ^ (n - 1) }

// chunksRoot returns the offset of the page at the top of all chunks.
func chunksRoot(t *testing.T, file []byte) int {
	t.Helper()
	m, err := newestMeta(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	top := page(file[m.root*pageSize:][:pageSize])
	e, _ := top.leaf(0)
	root, _, ok := top.bucketOf(e)
	if p := page(file[root*pageSize:][:pageSize]); !ok || e.key != string(chunksBucket) || p.kind() != branchPage || p.count() < 2 {
		t.Fatalf("the chunks are not under a branch page: %q, page %d", e.key, root)
	}
	return int(root) * pageSize
}

// TestUnsoundIndex has damage that leaves every page readable. A page that leads to itself would keep bbolt for ever.
func TestUnsoundIndex(t *testing.T) {
	file, chunks := filled(t)
	branch := chunksRoot(t, file)
	element, _ := page(file[branch : branch+pageSize]).branch(1)
	leaf := int(element.child) * pageSize
	var listed, root int // a chunk with a page of its own, in leaf
	for i := range page(file[leaf:]).count() {
		e, _ := page(file[leaf : leaf+pageSize]).leaf(i)
		if e.size == bucketHeader {
			listed, root = leaf+int(e.value), leaf/pageSize
		}
	}
	if listed == 0 {
		t.Fatal("no chunk with a page of its own")
	}
	damages := map[string][]byte{}
	for name, d := range map[string]struct{ at, to int }{
		"branch to itself":      {branch + pageHeader + elementSize + 8, branch / pageSize},
		"branch to its sibling": {branch + pageHeader + elementSize + 8, int(binary.NativeEndian.Uint64(file[branch+pageHeader+8:]))},
		"chunk to its list":     {listed, root},
		"chunk to the branch":   {listed, branch / pageSize},
		"chunk out of the file": {listed, 1 << 40},
	} {
		bad := bytes.Clone(file)
		binary.NativeEndian.PutUint64(bad[d.at:], uint64(d.to))
		damages[name] = bad
	}
	overlap := bytes.Clone(file)
	chunk := int(binary.NativeEndian.Uint64(file[listed:])) * pageSize
	overlap[chunk+12] += 3 // overflow pages
	damages["chunk over its neighbour"] = overlap
	first, _ := page(file[leaf:]).leaf(0)
	for name, d := range map[string]struct {
		at   int
		flip byte
	}{
		"last bit of a branch's key": {branch + int(element.value) - 1, 1},
		"first bit of a leaf's key":  {leaf + int(first.start), 0x80},
		"last bit of a first key":    {leaf + int(first.value) - 1, 1},
		"one less in a leaf":         {leaf + 10, oneLess(file[leaf+10])},
		"one less in a branch":       {branch + 10, oneLess(file[branch+10])},
		"size of a value":            {leaf + pageHeader + 12, 1},
		"place of a key":             {leaf + pageHeader + 4, 1},
		"a bucket's flag":            {leaf + pageHeader, bucketElement},
	} {
		bad := bytes.Clone(file)
		bad[d.at] ^= d.flip
		damages[name] = bad
	}
	for name, bad := range damages {
		if err := checkIndex(writeFile(t, bad)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: checkIndex = %v, want ErrCorrupt", name, err)
		}
		if lost := survivors(t, name, bad, chunks); lost > 0 {
			t.Errorf("%s: %d chunks lost", name, lost)
		}
	}
}

// TestDeleteOfADamagedChunk: the page of a chunk says that it goes on into its neighbours' pages. bbolt would free them.
func TestDeleteOfADamagedChunk(t *testing.T) {
	file, chunks := filled(t)
	s := openStore(t, writeFile(t, file), Options{})
	var victim Hash
	at := findPage(t, file, func(p page) bool {
		e, ok := p.leaf(0)
		if !ok || p.kind() != leafPage || p.count() != 1 || e.key != string(dataKey) || e.size != 20000 {
			return false
		}
		begin := int64(p.id())*pageSize + e.value
		victim = HashOf(file[begin : begin+e.size])
		return chunks[victim] != nil
	})
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteAt([]byte{20}, int64(at)+12); err != nil { // overflow pages: 20 instead of 4
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, s, victim, chunks[victim]) // it can still be read
	if err := s.Delete(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	delete(chunks, victim)
	for i := range 40 { // uses what was freed
		mustPut(t, s, random(uint64(1000+i), 20000))
	}
	for h, data := range chunks {
		expect(t, s, h, data)
	}
	if list, err := s.Quarantined(t.Context()); err != nil || len(list) != 1 || list[0].Hash != victim {
		t.Errorf("Quarantined = %v, %v; want the one that could not be deleted", list, err)
	}
	if _, _, err := s.Collect(t.Context(), func(h Hash) bool { return h != victim }); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context()); err != nil { // leaves its pages behind
		t.Fatal(err)
	}
	for h, data := range chunks {
		expect(t, s, h, data)
	}
}

// TestFreshFile: a crash came between the making of the file and that of its buckets.
func TestFreshFile(t *testing.T) {
	path := writeFile(t, nil)
	db, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, path, Options{})
	h := mustPut(t, s, []byte("x"))
	expect(t, s, h, []byte("x"))
	if _, err := os.Stat(path + damagedSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a fresh file was taken for a damaged one: %v", err)
	}
}

// TestLockedFile: a second process waits and is told.
func TestLockedFile(t *testing.T) {
	s := newStore(t)
	start := time.Now()
	if other, err := Open(s.path, Options{}); err == nil {
		other.Close()
		t.Error("the file was opened twice")
	} else if errors.Is(err, ErrCorrupt) {
		t.Errorf("a locked file was taken for a damaged one: %v", err)
	}
	if took := time.Since(start); took < lockTimeout/2 {
		t.Errorf("it waited %v only", took)
	}
}

func BenchmarkOpen(b *testing.B) {
	s := newStore(b)
	for i := range 64 {
		mustPut(b, s, random(uint64(i), ChunkSize))
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(s.path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
