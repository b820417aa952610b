package testcluster

import (
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestNonFiniteNamesTheLayer: numbers leave the range of float32, and the job says where first.
func TestNonFiniteNamesTheLayer(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Coordinators: 1, Workers: 2})
	id := c.Submit(digits(t, "spec.optimizer.learning_rate", "1e30"))
	j := c.WaitJob(id, "its failure", func(j *lockstepv1.Job) bool { return j.State == lockstepv1.JobState_JOB_STATE_FAILED })
	for _, w := range []string{"step ", "micro-batch ", `layer "dense`, "is not finite", "records between", "digits.csv.gz"} {
		if !strings.Contains(j.Reason, w) {
			t.Errorf("reason %q, want %q in it", j.Reason, w)
		}
	}
}
