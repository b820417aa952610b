package blocks

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
)

// fill adds n records that begin with their number.
func fill(t testing.TB, s *Store, n int) {
	t.Helper()
	for i := range n {
		r, err := s.Add()
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint32(r, uint32(i))
	}
}

func number(t testing.TB, s *Store, i int) int {
	r, pin, err := s.Record(i)
	if err != nil {
		t.Error(err)
		return -1
	}
	defer pin.Release()
	if len(r) != s.size {
		t.Errorf("record of %d bytes, want %d", len(r), s.size)
	}
	return int(binary.LittleEndian.Uint32(r))
}

// Several stores with different records, read at random by several goroutines under bounds from nothing to everything.
func TestRecordsAreTheSameUnderAnyBound(t *testing.T) {
	for _, bound := range []int64{0, 1, 64 << 10, 300 << 10, 1 << 20, 1 << 30} {
		s := New(bound, t.TempDir())
		defer s.Close()
		sizes := []int{4, 100, 784, 70 << 10}
		counts := []int{100_000, 5000, 1000, 9}
		var stores []*Store
		for i, size := range sizes {
			stores = append(stores, s.Store(size))
			fill(t, stores[i], counts[i])
		}
		for i, st := range stores {
			err := st.Update(func(k int, r []byte) { binary.LittleEndian.PutUint32(r, binary.LittleEndian.Uint32(r)+uint32(i)) })
			if err != nil || st.Len() != counts[i] {
				t.Fatal(err, st.Len())
			}
		}
		var g sync.WaitGroup
		for w := range 4 {
			g.Go(func() {
				r := rand.New(rand.NewPCG(uint64(bound), uint64(w)))
				for range 2000 {
					i := r.IntN(len(stores))
					k := r.IntN(counts[i])
					if got := number(t, stores[i], k); got != k+i {
						t.Errorf("bound %d: record %d of store %d is %d", bound, k, i, got)
					}
				}
			})
		}
		g.Wait()
		if most := max(bound, 70<<10); bound > 0 && s.held > most {
			t.Errorf("bound %d: %d bytes are held", bound, s.held)
		}
		if total := int64(4*100_000 + 100*5000 + 784*1000 + 9*70<<10); s.InMemory() != (bound == 0 || bound > total) {
			t.Errorf("bound %d: in memory: %v", bound, s.InMemory())
		}
	}
}

func TestNothingIsLeftOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := New(1, dir)
	defer s.Close()
	fill(t, s.Store(100), 10_000)
	if list, err := os.ReadDir(dir); len(list) > 0 || err != nil {
		t.Error(list, err)
	}
}

// A store that is given up makes room for others, in memory and on disk.
func TestFree(t *testing.T) {
	for _, bound := range []int64{0, 64 << 10} {
		s := New(bound, t.TempDir())
		defer s.Close()
		first := s.Store(100)
		fill(t, first, 5000)
		number(t, first, 0)
		first.Free()
		second := s.Store(100)
		fill(t, second, 5000)
		for _, i := range []int{0, 4999, 17} {
			if got := number(t, second, i); got != i {
				t.Errorf("record %d is %d", i, got)
			}
		}
		if most := max(bound, 5000*100); s.held > most {
			t.Errorf("bound %d: %d bytes are held", bound, s.held)
		}
	}
}

// What lies on disk must not change while it is in use.
func TestChangesAreFound(t *testing.T) {
	s := New(64<<10, t.TempDir())
	defer s.Close()
	st := s.Store(100)
	fill(t, st, 5000)
	if _, err := s.file.WriteAt([]byte{9}, 50); err != nil {
		t.Fatal(err)
	}
	if err := st.Load(1); err == nil || !strings.Contains(err.Error(), "are not what they were") {
		t.Error(err)
	}
	if got := number(t, st, 1000); got != 1000 {
		t.Error(got)
	}
	if err := s.file.Truncate(300); err != nil {
		t.Fatal(err)
	}
	if err := st.Load(4000); err == nil || !strings.Contains(err.Error(), "longer before") {
		t.Error(err)
	}
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	file := t.TempDir() + "/f"
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	st := New(1, file).Store(blockBytes)
	fill(t, st, 1)
	if _, err := st.Add(); err == nil || !strings.Contains(err.Error(), "keep records on disk") {
		t.Error(err)
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	s := New(256<<10, t.TempDir())
	defer s.Close()
	st := s.Store(100)
	fill(t, st, 20_000)
	r := rand.New(rand.NewPCG(1, 2))
	read := func() { number(t, st, r.IntN(20_000)) }
	for range 100 {
		read()
	}
	if n := testing.AllocsPerRun(1000, read); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
