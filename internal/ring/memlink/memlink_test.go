package memlink_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/internal/fixed"
	"lockstep/internal/ring"
	"lockstep/internal/ring/memlink"
	"lockstep/internal/ring/ringtest"
)

func harness(pieces int) ringtest.Harness {
	return ringtest.Harness{
		Packing: fixed.Packing{},
		Links: func(t testing.TB, world int) []ring.Link {
			links := make([]ring.Link, world)
			for i, l := range memlink.New(world, pieces) {
				links[i] = l
				t.Cleanup(func() { l.Close() })
			}
			return links
		},
	}
}

func TestConformance(t *testing.T) {
	suite := func(name string, h ringtest.Harness) {
		t.Run(name, func(t *testing.T) {
			t.Run("exact", h.Exact)
			t.Run("words", h.Words)
			t.Run("float32", h.Float32)
		})
	}
	suite("whole", harness(0))
	h := harness(16 << 10)
	h.Worlds = []int{2, 3, 9}
	suite("pieces of 16 KiB", h)
	h = harness(37)
	h.MaxLen, h.SegmentLen = 5000, 1000
	suite("small pieces and segments", h)
	for name, a := range map[string]ring.Algorithm{"direct": ring.Direct, "doubling": ring.Doubling, "around": ring.Around} {
		h.Algorithm, h.HalfResults = a, false
		t.Run(name, h.Exact)
		h.HalfResults = true
		t.Run(name+", halves", h.Exact)
	}
}

func TestRefusals(t *testing.T) {
	for _, pieces := range []int{0, 37} {
		harness(pieces).Refusals(t)
	}
}

func TestFaultsAtEveryFrame(t *testing.T) {
	for _, world := range []int{2, 3, 5} {
		for name, a := range map[string]ring.Algorithm{"direct": ring.Direct, "doubling": ring.Doubling, "around": ring.Around} {
			t.Run(fmt.Sprint(name, world), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := harness(0)
					h.Algorithm, h.Timeout = a, time.Minute
					n := 100
					if a == ring.Around {
						h.SegmentLen, n = 20, map[int]int{2: 120, 3: 180, 5: 190}[world] // also without a shorter segment at the end
					}
					for _, cases := range [][]ringtest.FaultCase{ringtest.FaultCases, ringtest.SlowFaultCases} {
						h.Faults(t, world, n, cases)
					}
				})
			})
		}
	}
}

func TestCancelAtEveryFrame(t *testing.T) {
	for _, world := range []int{2, 3, 5} {
		synctest.Test(t, func(t *testing.T) {
			h := harness(0)
			h.Cancels(t, world, 100)
			h.SegmentLen = 20
			h.Cancels(t, world, 190)
		})
	}
}
