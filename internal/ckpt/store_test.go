package ckpt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"go.etcd.io/bbolt"
)

func openStore(t testing.TB, path string, opts Options) *Store {
	t.Helper()
	s, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func newStore(t testing.TB) *Store {
	return openStore(t, filepath.Join(t.TempDir(), "chunks.db"), Options{})
}

func mustPut(t testing.TB, s *Store, data []byte) Hash {
	t.Helper()
	h, err := s.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// expect checks that the store has exactly these bytes under h.
func expect(t testing.TB, s *Store, h Hash, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), h)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Get(%s) = %d bytes, %v; want %d", h, len(got), err, len(want))
	}
}

func expectError(t testing.TB, s *Store, h Hash, want error) {
	t.Helper()
	if data, err := s.Get(t.Context(), h); !errors.Is(err, want) || data != nil {
		t.Errorf("Get(%s) = %d bytes, %v; want %v", h, len(data), err, want)
	}
}

// sizes are those at which bbolt changes how it keeps a value: inline, in one page, in several.
var sizes = []int{0, 1, 900, 975, 976, 977, 1024, 4000, 4063, 4064, 4095, 4096, 65536, ChunkSize, ChunkSize + 1, MaxChunk}

func TestStoreKeepsEverySize(t *testing.T) {
	s := newStore(t)
	hashes := map[int]Hash{}
	for _, n := range sizes {
		hashes[n] = mustPut(t, s, random(1, n))
	}
	for range 2 {
		for _, n := range sizes {
			if hashes[n] != HashOf(random(1, n)) || !s.Has(hashes[n]) {
				t.Errorf("%d bytes: hash %s, Has %v", n, hashes[n], s.Has(hashes[n]))
			}
			expect(t, s, hashes[n], random(1, n))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, s.path, Options{})
	}
	if _, err := s.Put(t.Context(), make([]byte, MaxChunk+1)); err == nil {
		t.Error("a chunk over MaxChunk was stored")
	}
	expectError(t, s, Hash{1}, ErrNotFound)
	if s.Has(Hash{1}) {
		t.Error("Has of a chunk that was never put")
	}
}

func TestPutIsIdempotent(t *testing.T) {
	s := newStore(t)
	h := mustPut(t, s, []byte("a"))
	before := txID(t, s)
	if again := mustPut(t, s, []byte("a")); again != h {
		t.Errorf("second Put gave %s, first %s", again, h)
	}
	if after := txID(t, s); after != before {
		t.Errorf("second Put took %d transactions", after-before)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Chunks != 1 || st.Bytes != 1 {
		t.Errorf("Stats = %+v, %v; want one chunk of one byte", st, err)
	}
}

func TestPutDoesNotKeepTheCallersBytes(t *testing.T) {
	s := newStore(t)
	data := []byte("original")
	h := mustPut(t, s, data)
	copy(data, "changed!")
	expect(t, s, h, []byte("original"))
	got, _ := s.Get(t.Context(), h)
	copy(got, "changed!")
	expect(t, s, h, []byte("original"))
}

// TestAgainstMap runs random operations against a map.
func TestAgainstMap(t *testing.T) {
	s := newStore(t)
	want := map[Hash][]byte{}
	r := rand.New(rand.NewPCG(1, 2))
	value := func() []byte { return random(uint64(r.IntN(40)), []int{10, 990, 5000, 70000}[r.IntN(4)]) }
	for range 400 {
		switch op := r.IntN(100); {
		case op < 60:
			data := value()
			want[mustPut(t, s, data)] = data
		case op < 85:
			h := HashOf(value())
			delete(want, h)
			if err := s.Delete(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		case op < 92:
			checkCollect(t, s, want, byte(r.IntN(256)))
		case op < 96:
			if err := s.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		default:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, s.path, Options{})
		}
		checkStats(t, s, want)
	}
	for h, data := range want {
		expect(t, s, h, data)
	}
}

// checkCollect collects what begins with a byte over limit, from s and from want.
func checkCollect(t *testing.T, s *Store, want map[Hash][]byte, limit byte) {
	t.Helper()
	wantN, wantBytes := 0, int64(0)
	for h, data := range want {
		if h[0] > limit {
			wantN++
			wantBytes += int64(len(data))
			delete(want, h)
		}
	}
	n, bytes, err := s.Collect(t.Context(), func(h Hash) bool { return h[0] <= limit })
	if err != nil || n != wantN || bytes != wantBytes {
		t.Fatalf("Collect = %d, %d, %v; want %d, %d", n, bytes, err, wantN, wantBytes)
	}
}

func checkStats(t *testing.T, s *Store, want map[Hash][]byte) {
	t.Helper()
	bytes := int64(0)
	for _, data := range want {
		bytes += int64(len(data))
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Chunks != len(want) || st.Bytes != bytes || st.Quarantined != 0 {
		t.Fatalf("Stats = %+v, %v; want %d chunks of %d bytes", st, err, len(want), bytes)
	}
}

func TestConcurrentUse(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				data := random(uint64((g*20+i)%60), 20000) // some are put by several
				h, err := s.Put(t.Context(), data)
				if err != nil {
					t.Errorf("put: %v", err)
					return
				}
				if got, err := s.Get(t.Context(), h); err != nil || !bytes.Equal(got, data) {
					t.Errorf("get what was put: %v", err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 5 {
			if err := s.Compact(t.Context()); err != nil {
				t.Errorf("compact: %v", err)
			}
			if _, _, err := s.Collect(t.Context(), func(Hash) bool { return true }); err != nil {
				t.Errorf("collect: %v", err)
			}
			if err := s.Delete(t.Context(), Hash{1}); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
	})
	wg.Wait()
	if st, err := s.Stats(t.Context()); err != nil || st.Chunks != 60 {
		t.Errorf("Stats = %+v, %v; want 60 chunks", st, err)
	}
}

// TestPutsShareTransactions holds the writer up until many puts wait.
func TestPutsShareTransactions(t *testing.T) {
	s := newStore(t)
	s.writer <- struct{}{}
	const n = 50
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { mustPut(t, s, random(uint64(i), 1000)) })
	}
	waitQueue(s, n)
	before := txID(t, s)
	s.unlock()
	wg.Wait()
	if got := txID(t, s) - before; got != 1 {
		t.Errorf("%d puts that waited together took %d transactions", n, got)
	}
}

// waitQueue waits until n puts are queued.
func waitQueue(s *Store, n int) {
	for {
		s.queueMu.Lock()
		k := len(s.queue)
		s.queueMu.Unlock()
		if k == n {
			return
		}
		runtime.Gosched()
	}
}

func txID(t *testing.T, s *Store) (id int) {
	t.Helper()
	if err := s.view(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestLongQueueIsCutIntoBatches(t *testing.T) {
	s := newStore(t)
	for i := range 5 {
		s.enqueue(&put{hash: Hash{byte(i)}, data: make([]byte, maxBatch/2)})
	}
	s.enqueue(&put{data: make([]byte, maxBatch+1)}) // alone is over the limit
	s.enqueue(&put{data: nil})
	var got []int
	for {
		batch := s.takeBatch()
		if len(batch) == 0 {
			break
		}
		got = append(got, len(batch))
	}
	if want := []int{2, 2, 1, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("batches of %v puts, want %v", got, want)
	}
}

func TestCancelledPut(t *testing.T) {
	s := newStore(t)
	cause := errors.New("generation is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	s.writer <- struct{}{} // somebody writes
	result := make(chan error)
	go func() {
		_, err := s.Put(ctx, []byte("x"))
		result <- err
	}()
	waitQueue(s, 1)
	cancel(cause)
	if err := <-result; !errors.Is(err, cause) {
		t.Errorf("Put = %v, want the cause", err)
	}
	waitQueue(s, 0)
	s.unlock()
	mustPut(t, s, []byte("y"))
	expectError(t, s, HashOf([]byte("x")), ErrNotFound)
	for name, err := range map[string]error{
		"Put":     second(s.Put(ctx, []byte("z"))),
		"Get":     second(s.Get(ctx, HashOf([]byte("y")))),
		"Delete":  s.Delete(ctx, Hash{}),
		"Compact": s.Compact(ctx),
		"Stats":   second(s.Stats(ctx)),
	} {
		if !errors.Is(err, cause) {
			t.Errorf("%s with an ended context: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestClosedStore(t *testing.T) {
	s := newStore(t)
	h := mustPut(t, s, []byte("x"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, _, collectErr := s.Collect(t.Context(), func(Hash) bool { return true })
	for name, err := range map[string]error{
		"Put":         second(s.Put(t.Context(), []byte("y"))),
		"Get":         second(s.Get(t.Context(), h)),
		"Delete":      s.Delete(t.Context(), h),
		"Collect":     collectErr,
		"Compact":     s.Compact(t.Context()),
		"Stats":       second(s.Stats(t.Context())),
		"Quarantine":  s.Quarantine(h, "x"),
		"Quarantined": second(s.Quarantined(t.Context())),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s on a closed store: %v", name, err)
		}
	}
	if s.Has(h) {
		t.Error("a closed store has something")
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "missing", "chunks.db"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil {
		t.Error("a directory was opened as a store")
	}
}

func TestReserve(t *testing.T) {
	dir := t.TempDir()
	free, err := freeSpace(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, filepath.Join(dir, "a.db"), Options{})
	h := mustPut(t, s, random(1, ChunkSize))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, s.path, Options{Reserve: free + 1<<40})
	if _, err := s.Put(t.Context(), random(2, ChunkSize)); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Put into the reserve: %v, want ErrNoSpace", err)
	}
	if err := s.Compact(t.Context()); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Compact into the reserve: %v, want ErrNoSpace", err)
	}
	expect(t, s, h, random(1, ChunkSize))
	mustPut(t, s, random(1, ChunkSize)) // there already
	if err := s.Delete(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, random(2, ChunkSize/4)) // in the space of the deleted one
}

func BenchmarkPut(b *testing.B) {
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprintf("concurrent=%d", workers), func(b *testing.B) {
			s := newStore(b)
			b.SetBytes(ChunkSize)
			var seq uint64
			var mu sync.Mutex
			next := func() (uint64, bool) {
				mu.Lock()
				defer mu.Unlock()
				seq++
				return seq, seq <= uint64(b.N)
			}
			var wg sync.WaitGroup
			b.ResetTimer()
			for range workers {
				wg.Go(func() {
					data := make([]byte, ChunkSize)
					for i, ok := next(); ok; i, ok = next() {
						copy(data, fmt.Append(nil, i))
						mustPut(b, s, data)
					}
				})
			}
			wg.Wait()
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := newStore(b)
	h := mustPut(b, s, random(1, ChunkSize))
	b.SetBytes(ChunkSize)
	for b.Loop() {
		if _, err := s.Get(b.Context(), h); err != nil {
			b.Fatal(err)
		}
	}
}
