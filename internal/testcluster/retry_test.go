package testcluster

import (
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestRetry: a job that was cancelled on its way goes on as a new one, from its last checkpoint and also from an older
// one, to the digest and the ledger of an undisturbed run. The old job's deletion does not hurt it.
func TestRetry(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 2})
	id := c.Submit(digits(t))
	c.WaitJob(id, "checkpoints", func(j *lockstepv1.Job) bool { return len(j.Checkpoints) >= 2 })
	if _, err := c.Client.CancelJob(c.context(), &lockstepv1.CancelJobRequest{Job: id}); err != nil {
		t.Fatal(err)
	}
	again := c.retry(id, "")
	if again.RetryOf != id || len(again.Checkpoints) < 2 || again.Progress.GetStep() != again.Checkpoints[len(again.Checkpoints)-1].Step {
		t.Errorf("the new job begins as %v", again)
	}
	c.WaitStep(again.Id, again.Progress.GetStep()+1)
	if _, err := c.Client.CancelJob(c.context(), &lockstepv1.CancelJobRequest{Job: again.Id}); err != nil {
		t.Fatal(err)
	}
	third := c.retry(again.Id, again.Checkpoints[0].Id)
	if _, err := c.Client.DeleteJob(c.context(), &lockstepv1.DeleteJobRequest{Job: id}); err != nil {
		t.Fatal(err)
	}
	done := c.WaitDone(third.Id)
	want(t, done.ModelDigest)
}

func (c *Cluster) retry(id, from string) *lockstepv1.Job {
	c.t.Helper()
	j, err := c.Client.RetryJob(c.context(), &lockstepv1.RetryJobRequest{RequestId: id + from, Job: id, From: from})
	if err != nil {
		c.t.Fatal(err)
	}
	return j
}
