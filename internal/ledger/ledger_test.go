package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func chain(n int) ([32]byte, []Record) {
	genesis := Genesis([32]byte{1}, [32]byte{2}, 100)
	var c []Record
	for i := range n {
		c = append(c, Record{Step: uint64(i+1) * 16, Epoch: uint64(i / 3), Loss: 1 / float64(i+1),
			Digest: TensorHash([]float32{float32(i)}), Prev: Head(genesis, c)})
	}
	return genesis, c
}

func TestEvery(t *testing.T) {
	for total, want := range map[int]int{0: 16, 1: 16, 16384: 16, 16384 + 16: 32, 1_000_000: 1024, 1 << 30: 1 << 20} {
		if got := Every(total); got != want {
			t.Errorf("Every(%d) = %d, want %d", total, got, want)
		}
		if n := total/Every(total) + 1; n > MaxRecords {
			t.Errorf("a job of %d steps has %d records", total, n)
		}
	}
}

func TestEveryFieldIsInTheChain(t *testing.T) {
	genesis, c := chain(5)
	if err := Check(genesis, c); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Record){
		"step": func(r *Record) { r.Step++ }, "epoch": func(r *Record) { r.Epoch++ }, "loss": func(r *Record) { r.Loss++ },
		"digest": func(r *Record) { r.Digest[31] ^= 1 }, "prev": func(r *Record) { r.Prev[0] ^= 1 },
	} {
		bad := slices.Clone(c)
		change(&bad[2])
		if err := Check(genesis, bad); !errors.Is(err, ErrChain) {
			t.Errorf("a changed %s: %v", name, err)
		}
	}
	for name, bad := range map[string][]Record{
		"one left out": slices.Delete(slices.Clone(c), 1, 2), "two swapped": {c[0], c[2], c[1]}, "one twice": {c[0], c[0]},
	} {
		if err := Check(genesis, bad); !errors.Is(err, ErrChain) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Check(Genesis([32]byte{1}, [32]byte{3}, 100), c) == nil {
		t.Error("a chain of other data holds")
	}
}

func TestUpto(t *testing.T) {
	_, c := chain(3)
	for step, want := range map[uint64]int{0: 0, 15: 0, 16: 1, 47: 2, 48: 3, 99: 3} {
		if got := len(Upto(c, step)); got != want {
			t.Errorf("up to step %d: %d records, want %d", step, got, want)
		}
	}
}

const golden = "e6bd5f1d206b05b6c9e82d00747946dcd83eb22d8123eee47fc7d6312bc06645"

// TestDigestIsFixed: a chain is compared with those of other builds.
func TestDigestIsFixed(t *testing.T) {
	_, c := chain(2)
	if got := fmt.Sprintf("%x", c[1].Hash()); got != golden {
		t.Errorf("hash %s, want %s", got, golden)
	}
	long := make([]float32, 5000)
	if TensorHash(long) == TensorHash(long[1:]) {
		t.Error("length does not show")
	}
}

func FuzzDecode(f *testing.F) {
	_, c := chain(2)
	f.Add(Encode(c))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b)
		if err == nil && !slices.Equal(Encode(got), b) {
			t.Error("decoded and encoded, it is another")
		}
	})
}
