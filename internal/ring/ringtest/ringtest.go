// Package ringtest is the conformance suite of ring.Link implementations: the whole
// all-reduce against a dumb reference, with and without faults.
package ringtest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"lockstep/internal/ring"
)

// A Harness makes the worlds that the suite runs on.
type Harness struct {
	Packing ring.Packing

	// Links returns connected links, by rank. It closes them when the test ends.
	Links func(t testing.TB, world int) []ring.Link

	// Wrap, if not nil, changes a member's link.
	Wrap func(rank int, l ring.Link) ring.Link

	// Worlds are the numbers of members; nil means 1 to 9.
	Worlds []int

	// MaxLen bounds the vectors; 0 means no bound.
	MaxLen int

	// Timeout of a receive; 0 means 30 s.
	Timeout time.Duration

	// As in ring.Config.
	SegmentLen  int
	Algorithm   ring.Algorithm
	HalfResults bool
}

func (h Harness) worlds() []int {
	if h.Worlds != nil {
		return h.Worlds
	}
	return []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
}

// Rings returns the rings of a new world.
func (h Harness) Rings(t testing.TB, world int) ([]*ring.Ring, []ring.Link) {
	t.Helper()
	var links []ring.Link
	if world > 1 {
		links = h.Links(t, world)
	} else {
		links = make([]ring.Link, 1)
	}
	rings := make([]*ring.Ring, world)
	for i := range rings {
		if h.Wrap != nil && links[i] != nil {
			links[i] = h.Wrap(i, links[i])
		}
		r, err := ring.New(ring.Config{
			Rank: i, World: world, Job: "conformance", Generation: 7, Link: links[i], Packing: h.Packing,
			Timeout:    func() time.Duration { return cmp.Or(h.Timeout, 30*time.Second) },
			SegmentLen: h.SegmentLen, Algorithm: h.Algorithm, HalfResults: h.HalfResults,
		})
		if err != nil {
			t.Fatal(err)
		}
		rings[i] = r
	}
	return rings, links
}

// All runs f for every rank at once and returns the errors.
func All(n int, f func(rank int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errs
}

// NoErrors fails the test if there is an error.
func NoErrors(t testing.TB, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Errorf("member %d: %v", i, err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// Input returns the vector of a member.
func Input(r *rand.Rand, n int) []int64 {
	acc := make([]int64, n)
	for i := range acc {
		acc[i] = int64(r.Uint64()) >> (8 + r.IntN(50))
	}
	return acc
}

// Convert is the conversion that the suite uses; it depends on the offset.
func Convert(dst []float32, acc []int64, off int) error {
	for i, a := range acc {
		dst[i] = float32(float64(a) * math.Ldexp(1, -(off+i)%13))
	}
	return nil
}

// Exchange reduces new random vectors of n values and compares every member's result
// with the sum that a loop makes.
func Exchange(t testing.TB, rings []*ring.Ring, op ring.Op, n int) {
	t.Helper()
	exchange(t, rings, op, n, false)
}

// half is the bfloat16 nearest to v, as the comparison of its two neighbours gives it.
func half(v float32) float32 {
	low := math.Float32bits(v) &^ 0xffff
	a, b := math.Float32frombits(low), math.Float32frombits(low+0x10000)
	da, db := math.Abs(float64(v)-float64(a)), math.Abs(float64(v)-float64(b))
	if db < da || db == da && low>>16&1 == 1 {
		return b
	}
	return a
}

func exchange(t testing.TB, rings []*ring.Ring, op ring.Op, n int, halves bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(len(rings))+op.Step))
	accs := make([][]int64, len(rings))
	sum := make([]int64, n)
	for i := range accs {
		accs[i] = Input(r, n)
		for j, v := range accs[i] {
			sum[j] += v
		}
	}
	want := make([]float32, n)
	if err := Convert(want, sum, 0); err != nil {
		t.Fatal(err)
	}
	for i, v := range want {
		if halves {
			want[i] = half(v)
		}
	}
	dsts := make([][]float32, len(rings))
	NoErrors(t, All(len(rings), func(i int) error {
		dsts[i] = make([]float32, n)
		return rings[i].AllReduce(context.Background(), op, dsts[i], accs[i], Convert)
	}))
	for i, dst := range dsts {
		for j := range dst {
			if math.Float32bits(dst[j]) != math.Float32bits(want[j]) {
				t.Fatalf("world %d, %d values: member %d has %g at %d, want %g", len(rings), n, i, dst[j], j, want[j])
			}
		}
	}
}

// sizes returns the vector lengths of the suite.
func (h Harness) sizes() []int {
	return slices.DeleteFunc([]int{0, 1, 2, 3, 5, 7, 8, 9, 257, 1000, 4099, 16385, 100003}, func(n int) bool { return h.MaxLen > 0 && n > h.MaxLen })
}

// Exact checks AllReduce for all worlds and sizes.
func (h Harness) Exact(t *testing.T) {
	for _, world := range h.worlds() {
		t.Run(fmt.Sprint(world), func(t *testing.T) {
			rings, _ := h.Rings(t, world)
			for i, n := range h.sizes() {
				exchange(t, rings, ring.Op{Step: uint64(i)}, n, h.HalfResults)
			}
		})
	}
}

// Long checks AllReduce of ten million values.
func (h Harness) Long(t *testing.T) {
	for _, world := range h.worlds() {
		rings, _ := h.Rings(t, world)
		exchange(t, rings, ring.Op{}, 10_000_019, false)
	}
}

// Words checks AllReduceInt64.
func (h Harness) Words(t *testing.T) {
	for _, world := range h.worlds() {
		rings, _ := h.Rings(t, world)
		for step, n := range []int{0, 1, 7, 300, 20011} {
			words := make([][]int64, world)
			want := make([]int64, n)
			r := rand.New(rand.NewPCG(uint64(n), 4))
			for i := range words {
				words[i] = make([]int64, n)
				for j := range words[i] {
					words[i][j] = int64(r.Uint64()) // sums wrap around
					want[j] += words[i][j]
				}
			}
			NoErrors(t, All(world, func(i int) error {
				return rings[i].AllReduceInt64(context.Background(), ring.Op{Step: uint64(step)}, words[i])
			}))
			for i := range words {
				for j, v := range words[i] {
					if v != want[j] {
						t.Fatalf("world %d, %d words: member %d has %d at %d, want %d", world, n, i, v, j, want[j])
					}
				}
			}
		}
	}
}

// Float32 checks AllReduceFloat32: close to the float64 sum, the same everywhere and
// each time.
func (h Harness) Float32(t *testing.T) {
	for _, world := range h.worlds() {
		rings, _ := h.Rings(t, world)
		for size, n := range h.sizes() {
			var before []float32
			for again := range uint32(2) {
				r := rand.New(rand.NewPCG(uint64(n), uint64(world)))
				xs := make([][]float32, world)
				want, weight := make([]float64, n), make([]float64, n)
				for i := range xs {
					xs[i] = make([]float32, n)
					for j := range xs[i] {
						xs[i][j] = float32(r.NormFloat64())
						want[j] += float64(xs[i][j])
						weight[j] += math.Abs(float64(xs[i][j]))
					}
				}
				NoErrors(t, All(world, func(i int) error {
					return rings[i].AllReduceFloat32(context.Background(), ring.Op{Step: uint64(size), Attempt: again}, xs[i])
				}))
				for i := range xs {
					for j, v := range xs[i] {
						if math.Float32bits(v) != math.Float32bits(xs[0][j]) || again > 0 && v != before[j] {
							t.Fatalf("world %d, %d values: results differ at %d", world, n, j)
						}
						// W-1 roundings, each of half a unit in the last place of a partial sum.
						if tol := weight[j] * float64(world) * 0x1p-24; math.Abs(float64(v)-want[j]) > tol {
							t.Fatalf("world %d, %d values: %g at %d, want %g", world, n, v, j, want[j])
						}
					}
				}
				before = xs[0]
			}
		}
	}
}
