package ckpt

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// childEnv names the store that a helper process fills until it is killed.
const childEnv = "LOCKSTEP_CKPT_TEST_FILL"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := fillForEver(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// childWriters is how many goroutines of the helper put at the same time.
const childWriters = 4

// childChunk is the k-th chunk of writer w in a round.
func childChunk(round, w, k int) []byte {
	return random(uint64(round)<<40|uint64(w)<<32|uint64(k), 3000+k*1000%60000)
}

// fillForEver puts chunks, deletes some, and prints "writer number" after each Put that returned. It ends by an error
// or by being killed.
func fillForEver(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	var round int
	if _, err := fmt.Sscan(os.Getenv(childEnv+"_ROUND"), &round); err != nil {
		return err
	}
	errs := make(chan error)
	for w := range childWriters {
		go func() {
			for k := 0; ; k++ {
				if _, err := s.Put(context.Background(), childChunk(round, w, k)); err != nil {
					errs <- err
				}
				fmt.Printf("%d %d\n", w, k) // one write: a line is whole or not there
				if k%4 == 3 {
					if err := s.Delete(context.Background(), HashOf(childChunk(round, w, k-3))); err != nil {
						errs <- err
					}
				}
			}
		}()
	}
	return <-errs
}

// TestKilledWriterLosesNothingAcknowledged kills a process in the middle of its Puts, several times over on one file.
func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chunks.db")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		acked := runAndKill(t, exe, path, round, 40+17*round)
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for w, n := range acked {
			for k := range n {
				if k%4 != 0 || k+3 >= n { // may have been deleted otherwise
					expect(t, s, HashOf(childChunk(round, w, k)), childChunk(round, w, k))
				}
			}
		}
		if _, _, err := s.Collect(t.Context(), func(h Hash) bool { return h[0] < 128 }); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path + damagedSuffix); err == nil {
			t.Error("the killed process left a damaged index")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// runAndKill lets a helper acknowledge n chunks and kills it. It returns how many each writer acknowledged.
func runAndKill(t *testing.T, exe, path string, round, n int) (acked [childWriters]int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+path, fmt.Sprintf("%s_ROUND=%d", childEnv, round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	total := 0
	for lines.Scan() {
		var w, k int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &w, &k); err != nil || k != acked[w] {
			t.Errorf("line %q from the helper, after %v", lines.Text(), acked)
		}
		acked[w]++
		if total++; total == n {
			if err := cmd.Process.Kill(); err != nil { // what it wrote before it died is read on
				t.Fatal(err)
			}
		}
	}
	if total < n {
		t.Fatalf("the helper ended after %d chunks", total)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the helper was not killed")
	}
	return acked
}
