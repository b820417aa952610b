package ckpt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCollectAsksAgain(t *testing.T) {
	s := newStore(t)
	a, b := mustPut(t, s, []byte("a")), mustPut(t, s, []byte("b"))
	asked := map[Hash]int{}
	n, _, err := s.Collect(t.Context(), func(h Hash) bool {
		asked[h]++
		return h == a && asked[h] == 2 // committed meanwhile
	})
	if err != nil || n != 1 {
		t.Errorf("Collect = %d, %v; want 1", n, err)
	}
	expect(t, s, a, []byte("a"))
	expectError(t, s, b, ErrNotFound)
}

func TestCollectManyStopsWithContext(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	for i := range 2*deleteBatch + 10 {
		wg.Go(func() { mustPut(t, s, fmt.Append(nil, i)) })
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	n, bytes, err := s.Collect(ctx, func(Hash) bool {
		if calls++; calls == 2*deleteBatch+10+1 { // in the first transaction
			cancel()
		}
		return false
	})
	if !errors.Is(err, context.Canceled) || n != deleteBatch || bytes == 0 {
		t.Errorf("Collect = %d, %d, %v; want one transaction's %d", n, bytes, err, deleteBatch)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Chunks != deleteBatch+10 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
}

func TestDeletedSpaceIsUsedAgain(t *testing.T) {
	s := newStore(t)
	fill := func(seed uint64) {
		for i := range 20 {
			mustPut(t, s, random(seed*100+uint64(i), ChunkSize))
		}
	}
	fill(1)
	before, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(4) {
		if _, _, err := s.Collect(t.Context(), func(Hash) bool { return false }); err != nil {
			t.Fatal(err)
		}
		fill(seed + 2)
	}
	after, err := s.Stats(t.Context())
	if err != nil || after.FileBytes > before.FileBytes*5/4 {
		t.Errorf("file grew from %d to %d bytes (%v)", before.FileBytes, after.FileBytes, err)
	}
}

func TestCompactShrinksTheFile(t *testing.T) {
	s := newStore(t)
	var hashes []Hash
	for i := range 12 {
		hashes = append(hashes, mustPut(t, s, random(uint64(i), ChunkSize)))
	}
	for _, h := range hashes[2:] {
		if err := s.Delete(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	st, err := s.Stats(t.Context())
	if err != nil || st.FileBytes > 3*ChunkSize || st.Chunks != 2 {
		t.Errorf("after Compact: %+v, %v", st, err)
	}
	for i, h := range hashes[:2] {
		expect(t, s, h, random(uint64(i), ChunkSize))
	}
	mustPut(t, s, []byte("later"))
	names, err := filepath.Glob(s.path + "*")
	if diff := cmp.Diff([]string{s.path}, names); err != nil || diff != "" {
		t.Errorf("files left (-want +got):\n%s", diff)
	}
}

func TestCompactLeftovers(t *testing.T) {
	s := newStore(t)
	h := mustPut(t, s, []byte("x"))
	for _, suffix := range []string{compactSuffix, salvageSuffix} {
		if err := os.WriteFile(s.path+suffix, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Errorf("Compact over a leftover: %v", err)
	}
	if err := errors.Join(os.WriteFile(s.path+compactSuffix, nil, 0o600), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, s.path, Options{})
	expect(t, s, h, []byte("x"))
	if names, _ := filepath.Glob(s.path + "*"); len(names) != 1 {
		t.Errorf("Open left %v", names)
	}
}
