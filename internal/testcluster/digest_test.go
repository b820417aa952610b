package testcluster

import (
	"fmt"
	"testing"
)

// The promise, undisturbed: the same bits on any number of workers, cores, and with any buckets.

func TestSameDigestOnAnyNumberOfWorkers(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := Start(t, Options{Coordinators: 1, Undisturbed: true, Workers: n})
			j := c.WaitDone(c.Submit(digits(t, "spec.parallelism.workers", fmt.Sprintf("{min: %d, max: %d}", n, n))))
			want(t, j.ModelDigest)
			if got := j.Progress.Workers; got != uint32(n) {
				t.Errorf("trained with %d workers, want %d", got, n)
			}
		})
	}
}

func TestSameDigestWithOtherThreads(t *testing.T) {
	for _, procs := range []string{"1", "2"} {
		t.Run(procs, func(t *testing.T) {
			c := Start(t, Options{Coordinators: 1, Undisturbed: true, Workers: 2, Env: []string{"GOMAXPROCS=" + procs}, WorkerArgs: []string{"--cores", procs}})
			want(t, c.WaitDone(c.Submit(digits(t))).ModelDigest)
		})
	}
}

func TestSameDigestWithOtherBuckets(t *testing.T) {
	for _, mb := range []string{"0.001", "0.1", "64"} {
		t.Run(mb, func(t *testing.T) {
			c := Start(t, Options{Coordinators: 1, Undisturbed: true, Workers: 2})
			want(t, c.WaitDone(c.Submit(digits(t, "spec.parallelism.bucket_mb", mb))).ModelDigest)
		})
	}
}

// With reduction float32 the bits may depend on the number of workers, and on nothing else.
func TestPlainRingIsRepeatable(t *testing.T) {
	t.Parallel()
	run := func() string {
		c := Start(t, Options{Coordinators: 1, Undisturbed: true, Workers: 2, WorkerArgs: []string{"--cores", "2"}})
		return c.WaitDone(c.Submit(digits(t, "spec.parallelism", "{reduction: float32, workers: {min: 2, max: 2}}"))).ModelDigest
	}
	if a, b := run(), run(); a != b {
		t.Errorf("two runs of the plain ring gave %s and %s", a, b)
	}
}
