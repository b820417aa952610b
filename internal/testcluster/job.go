package testcluster

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
	"lockstep/internal/spec"
)

// Root is the module's directory.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Spec loads a specification of the module, with values set as on the command line: path, value, path, value, ...
func Spec(t *testing.T, file string, set ...string) []byte {
	t.Helper()
	path := filepath.Join(Root(), file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(set); i += 2 {
		if text, err = spec.Set(text, set[i], set[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	j, err := spec.Parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.ResolveSource(path); err != nil {
		t.Fatal(err)
	}
	return j.Canonical()
}

// Submit submits a job and returns its id.
func (c *Cluster) Submit(canonical []byte) string {
	c.t.Helper()
	return c.submitAs(c.t.Name(), canonical)
}

// submitAs submits under a request id.
func (c *Cluster) submitAs(request string, canonical []byte) string {
	c.t.Helper()
	j, err := c.Client.SubmitJob(c.context(), &lockstepv1.SubmitJobRequest{RequestId: request, Spec: canonical})
	if err != nil {
		c.t.Fatalf("submit: %v", err)
	}
	return j.Id
}

// WaitJob follows a job until it is as the test wants it, and returns it. A job that ends otherwise fails the test.
func (c *Cluster) WaitJob(id string, what string, want func(*lockstepv1.Job) bool) *lockstepv1.Job {
	c.t.Helper()
	ctx := c.context()
	for ctx.Err() == nil {
		stream, err := c.Client.WatchJob(ctx, &lockstepv1.GetJobRequest{Job: id})
		for err == nil {
			var j *lockstepv1.Job
			if j, err = stream.Recv(); err != nil {
				break
			}
			if want(j) {
				return j
			}
			if job.Ended(j.State) {
				c.t.Fatalf("job %s ended as %v (%s) while the test waited for: %s", id, j.State, j.Reason, what)
			}
		}
	}
	c.t.Fatalf("waited in vain for: %s", what)
	return nil
}

// WaitStep waits until a job has reported a step.
func (c *Cluster) WaitStep(id string, step uint64) *lockstepv1.Job {
	c.t.Helper()
	return c.WaitJob(id, "a step", func(j *lockstepv1.Job) bool { return j.Progress.GetStep() >= step })
}

// WaitMembers waits until a job trains with so many workers.
func (c *Cluster) WaitMembers(id string, n int) *lockstepv1.Job {
	c.t.Helper()
	return c.WaitJob(id, "members", func(j *lockstepv1.Job) bool {
		return len(j.Generation.GetMembers()) == n && j.Generation.Phase == lockstepv1.GenerationPhase_GENERATION_PHASE_RUNNING
	})
}

// WaitDone waits until a job has succeeded and returns it.
func (c *Cluster) WaitDone(id string) *lockstepv1.Job {
	c.t.Helper()
	return c.WaitJob(id, "success", func(j *lockstepv1.Job) bool {
		return j.State == lockstepv1.JobState_JOB_STATE_SUCCEEDED
	})
}
