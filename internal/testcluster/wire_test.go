package testcluster

import (
	"fmt"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// wireRatio is what the first member has sent, in proportion to a float32 ring without headers.
func wireRatio(j *lockstepv1.Job) float64 {
	return float64(j.Progress.RingBytes) / float64(j.Progress.FloatRingBytes)
}

// With wire bf16, too, the bits do not depend on the cluster, and little more than half of the bytes are sent.
func TestHalvesOnTheWire(t *testing.T) {
	t.Parallel()
	run := func(workers int, wire string) *lockstepv1.Job {
		c := Start(t, Options{Coordinators: 1, Workers: workers})
		j := c.WaitDone(c.Submit(digits(t, "spec.model.layers.0.units", "512", "spec.training.epochs", "5", "spec.parallelism", fmt.Sprintf("{wire: %s, workers: {min: %d, max: %d}}", wire, workers, workers))))
		if got := j.Progress.Workers; got != uint32(workers) {
			t.Errorf("trained with %d workers, want %d", got, workers)
		}
		return j
	}
	alone, full := run(1, "bf16"), run(2, "float32")
	if alone.Progress.RingBytes != 0 {
		t.Errorf("one worker sent %d bytes", alone.Progress.RingBytes)
	}
	if alone.ModelDigest == full.ModelDigest {
		t.Error("wire has no effect on the result")
	}
	for _, workers := range []int{2, 3} {
		j := run(workers, "bf16")
		if j.ModelDigest != alone.ModelDigest {
			t.Errorf("%d workers: digest %s, want that of one, %s", workers, j.ModelDigest, alone.ModelDigest)
		}
		if r := wireRatio(j) / wireRatio(full); r > 0.62 {
			t.Errorf("%d workers: %.3f of the bytes of wire float32", workers, r)
		}
		t.Logf("%d workers: %.3f of a float32 ring's bytes, %.3f with wire float32", workers, wireRatio(j), wireRatio(full))
	}
}
