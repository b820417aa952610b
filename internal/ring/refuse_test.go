package ring_test

import (
	"errors"
	"testing"
	"time"

	"lockstep/internal/fixed"
	"lockstep/internal/ring"
	"lockstep/internal/ring/memlink"
	"lockstep/internal/ring/ringtest"
)

func newRing(t *testing.T, rank int, job string, generation uint64, l ring.Link) *ring.Ring {
	t.Helper()
	r, err := ring.New(ring.Config{
		Rank: rank, World: 2, Job: job, Generation: generation, Link: l, Packing: fixed.Packing{},
		Timeout: func() time.Duration { return 30 * time.Second },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOperationsMustAscend(t *testing.T) {
	r, err := ring.New(ring.Config{World: 1, Packing: fixed.Packing{}, Timeout: func() time.Duration { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		op ring.Op
		ok bool
	}{
		{ring.Op{}, true}, {ring.Op{}, false}, {ring.Op{Bucket: 1}, true}, {ring.Op{Bucket: 0}, false},
		{ring.Op{Attempt: 1}, true}, {ring.Op{Step: 1}, true}, {ring.Op{Attempt: 2, Bucket: 7}, false}, {ring.Op{Step: 1, Bucket: 1}, true},
	} {
		if err := r.AllReduceInt64(t.Context(), c.op, []int64{1}); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.op, err)
		}
	}
}

// An error of the conversion is the caller's own, and the others are told who failed.
func TestConvertFails(t *testing.T) {
	own := errors.New("cannot convert")
	for _, n := range []int{10, 50000} {
		links := memlink.New(2, 0)
		errs := ringtest.All(2, func(i int) error {
			return newRing(t, i, "job", 1, links[i]).AllReduce(t.Context(), ring.Op{}, make([]float32, n), make([]int64, n),
				func(dst []float32, acc []int64, off int) error {
					if i == 0 {
						return own
					}
					return nil
				})
		})
		if !errors.Is(errs[0], own) {
			t.Errorf("%d values: member 0 has %v", n, errs[0])
		}
		var pe *ring.PeerError
		if n > 20000 && (!errors.As(errs[1], &pe) || pe.Peer != 0) { // with few values member 1 is done before
			t.Errorf("%d values: member 1 has %v", n, errs[1])
		}
	}
}
