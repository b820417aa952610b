package ring

import (
	"testing"
	"time"
)

func noTimeout() time.Duration { return time.Hour }

// Chunks and segments cover the vector once, in order, and what a member gets in a round
// is what its predecessor sends.
func TestPlan(t *testing.T) {
	for world := 2; world <= 9; world++ {
		for _, n := range []int{0, 1, world - 1, world, 1000, 1009, 65537} {
			for _, segment := range []int{1, 7, 16384} {
				p := plan{world: world, n: n, segment: segment}
				at := 0
				for i := range world {
					c := p.chunk(i)
					for j := range p.segments(c) {
						s := p.cut(c, j)
						if s.off != at || s.n < 1 || s.n > segment {
							t.Fatalf("world %d, %d values: chunk %d, segment %d is %+v, want it at %d", world, n, i, j, s, at)
						}
						at += s.n
					}
					if c != p.chunk(i+world) || c != p.chunk(i-world) {
						t.Fatalf("chunk %d is not periodic", i)
					}
				}
				if at != n {
					t.Fatalf("world %d: %d of %d values are covered", world, at, n)
				}
				for rank := range world {
					me, prev := p, p
					me.rank, prev.rank = rank, (rank+world-1)%world
					for k := range p.rounds() {
						if me.sent(k+1) != prev.sent(k) {
							t.Fatalf("world %d, round %d: member %d gets %+v", world, k, rank, prev.sent(k))
						}
					}
				}
			}
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		world, n int
		ordered  bool
		want     Algorithm
	}{
		{1, 1000, false, Alone}, {1, 0, true, Alone},
		{2, 1, false, Direct}, {2, 16384, false, Direct}, {2, 16385, false, Around}, {2, 1, true, Doubling},
		{9, 2048, false, Direct}, {9, 2049, false, Doubling}, {9, 16385, true, Around}, {5, 0, false, Around},
	} {
		r, err := New(Config{World: c.world, Packing: dumb{}, Timeout: noTimeout, Link: noLink{}})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.choose(c.n, c.ordered); got != c.want {
			t.Errorf("%+v: algorithm %d", c, got)
		}
	}
}

func TestSegment(t *testing.T) {
	for _, c := range []struct{ world, n, given, want int }{
		{2, 16385, 0, 16384}, {2, 200_001, 0, 25_001}, {4, 535_818, 0, 33_489}, {8, 535_818, 0, 16_745}, {2, 1 << 24, 0, 65536}, {2, 1 << 24, 20, 20},
	} {
		cfg := Config{World: c.world, SegmentLen: c.given}
		if got := cfg.segment(c.n); got != c.want {
			t.Errorf("%+v: segments of %d", c, got)
		}
	}
}

type noLink struct{ Link }

func TestNewRefuses(t *testing.T) {
	good := Config{Rank: 1, World: 3, Packing: dumb{}, Timeout: noTimeout, Link: noLink{}}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"world":     func(c *Config) { c.World = 0 },
		"rank":      func(c *Config) { c.Rank = 3 },
		"negative":  func(c *Config) { c.Rank = -1 },
		"link":      func(c *Config) { c.Link = nil },
		"packing":   func(c *Config) { c.Packing = nil },
		"timeout":   func(c *Config) { c.Timeout = nil },
		"segment":   func(c *Config) { c.SegmentLen = -1 },
		"algorithm": func(c *Config) { c.Algorithm = 9 },
	} {
		bad := good
		change(&bad)
		if _, err := New(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
