package ckpt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a file system of size bytes, which only root may do.
func smallDisk(t *testing.T, size int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("a small file system cannot be mounted (are you root?): %v; the behaviour on a full disk is not tested", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fillUp puts chunks of n bytes until the store refuses. It returns their hashes.
func fillUp(t *testing.T, s *Store, seed uint64, n int) (hashes []Hash) {
	t.Helper()
	for i := range uint64(10000) {
		h, err := s.Put(t.Context(), random(seed<<32|i, n))
		if errors.Is(err, ErrNoSpace) {
			return hashes
		}
		if err != nil {
			t.Fatalf("put: %v, want ErrNoSpace", err)
		}
		hashes = append(hashes, h)
	}
	t.Fatal("the disk does not fill up")
	return nil
}

// TestFullDisk fills a real disk: errors and no crash, everything acknowledged stays, deleting makes room.
func TestFullDisk(t *testing.T) {
	const size = 8 << 20
	dir := smallDisk(t, size)
	s := openStore(t, filepath.Join(dir, "chunks.db"), Options{})
	const n = 200 << 10
	hashes := fillUp(t, s, 1, n)
	if got := len(hashes) * n; got < size*8/10 {
		t.Errorf("refused after %d of %d bytes", got, size)
	}
	check := func() {
		t.Helper()
		for i, h := range hashes {
			if h != (Hash{}) {
				expect(t, s, h, random(1<<32|uint64(i), n))
			}
		}
	}
	check()
	small := fillUp(t, s, 2, 10)
	check()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := s.Put(t.Context(), random(uint64(i), n)); !errors.Is(err, ErrNoSpace) {
				t.Errorf("put on a full disk: %v", err)
			}
		})
	}
	wg.Wait()
	for i := range 10 {
		if err := s.Delete(t.Context(), hashes[i]); err != nil {
			t.Fatalf("delete on a full disk: %v", err)
		}
		hashes[i] = Hash{}
	}
	if again := fillUp(t, s, 3, n); len(again) < 7 { // not 10: the room is in pieces
		t.Errorf("after deleting 10 chunks there was room for %d", len(again))
	}
	for _, h := range hashes[10:] { // to the last one, on the disk that is full again
		if err := s.Delete(t.Context(), h); err != nil {
			t.Fatalf("delete on a full disk: %v", err)
		}
	}
	hashes = nil
	check()
	if err := s.Compact(t.Context()); !errors.Is(err, ErrNoSpace) {
		t.Errorf("compact on a full disk: %v", err)
	}
	if _, err := os.Stat(s.path + compactSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the failed Compact left its file: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, s.path, Options{})
	for i, h := range small {
		expect(t, s, h, random(2<<32|uint64(i), 10))
	}
}

// TestReserveOnSmallDisk: what is reserved stays free for others.
func TestReserveOnSmallDisk(t *testing.T) {
	dir := smallDisk(t, 8<<20)
	s := openStore(t, filepath.Join(dir, "chunks.db"), Options{Reserve: 2 << 20})
	hashes := fillUp(t, s, 1, 100<<10)
	free, err := freeSpace(dir)
	if err != nil || free < 2<<20-64<<10 || free > 2<<20+400<<10 {
		t.Errorf("free when refused: %d bytes, %v; want about 2 MiB", free, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "others"), make([]byte, 1800<<10), 0o600); err != nil {
		t.Errorf("the reserve is not there: %v", err)
	}
	for i, h := range hashes {
		expect(t, s, h, random(1<<32|uint64(i), 100<<10))
	}
}

// TestOpenOnFullDisk: neither a new store nor the salvage of a damaged one crashes.
func TestOpenOnFullDisk(t *testing.T) {
	dir := smallDisk(t, 1<<20)
	s := openStore(t, filepath.Join(dir, "chunks.db"), Options{})
	fillUp(t, s, 1, 50<<10)
	fillUp(t, s, 2, 10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteAt(make([]byte, 2*pageSize), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.path, Options{}); !errors.Is(err, ErrNoSpace) || !errors.Is(err, ErrCorrupt) {
		t.Errorf("open of a damaged store on a full disk: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "other.db"), Options{}); !errors.Is(err, ErrNoSpace) {
		t.Errorf("open of a new store on a full disk: %v", err)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*.salvage")); len(names) > 0 {
		t.Errorf("left %v", names)
	}
}
