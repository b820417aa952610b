package rng

import "testing"

// Known answers of Random123 1.14's kat_vectors for philox4x32 with 10 rounds.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}, [2]uint32{^uint32(0), ^uint32(0)},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := block(c.ctr, c.key); got != c.want {
			t.Errorf("block(%x, %x) = %x, want %x", c.ctr, c.key, got, c.want)
		}
	}
}

func TestStreamsDependOnEveryArgument(t *testing.T) {
	seen := map[uint64]bool{}
	for _, s := range []Stream{
		New(1, Weights, 0, 0, 0), New(2, Weights, 0, 0, 0), New(1, Dropout, 0, 0, 0),
		New(1, Weights, 1, 0, 0), New(1, Weights, 0, 1, 0), New(1, Weights, 0, 0, 1),
	} {
		seen[s.Uint64()] = true
	}
	if len(seen) != 6 {
		t.Fatalf("6 streams gave %d different first words", len(seen))
	}
}

func TestPermIsAPermutation(t *testing.T) {
	for _, n := range []int{0, 1, 2, 17, 1000} {
		p := make([]int, n)
		s := New(7, ShardOrder, 3, 0, 0)
		s.Perm(p)
		seen := make([]bool, n)
		for _, v := range p {
			if seen[v] {
				t.Fatalf("n=%d: %d twice", n, v)
			}
			seen[v] = true
		}
	}
}
