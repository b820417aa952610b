package testcluster

import (
	"fmt"
	"testing"
)

// Records are mixed alike whoever owns them: partners and shares follow from record and epoch alone.
func TestMixup(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Coordinators: 1, Undisturbed: true, Workers: 3})
	digests := map[string]bool{}
	for _, n := range []int{1, 3} {
		j := c.WaitDone(c.submitAs(fmt.Sprint(n), Spec(t, "examples/digits-npz.yaml", "spec.training", "{max_steps: 60, global_batch_size: 32}",
			"spec.dataset.augmentation", "[{type: random_crop, pixels: 1}, {type: mixup, alpha: 0.3}]", "spec.parallelism.workers", fmt.Sprintf("{min: %d, max: %d}", n, n))))
		digests[j.ModelDigest] = true
		if j.Progress.Workers != uint32(n) {
			t.Errorf("trained with %d workers, want %d", j.Progress.Workers, n)
		}
	}
	if len(digests) != 1 || digests[""] {
		t.Errorf("digests %v", digests)
	}
}
