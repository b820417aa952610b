package testcluster

import (
	"slices"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/export"
	"lockstep/internal/job"
)

// TestBestUnderFire: a job that stops early and restores its best weights has the same result, and the same checkpoints,
// if its leader and all workers are killed on the way. The result is the best checkpoint's parameters.
func TestBestUnderFire(t *testing.T) {
	t.Parallel()
	stops := digits(t, "spec.early_stopping", "{monitor: val_loss, patience: 4, restore_best_weights: true}", "spec.dataset.split", "{train: 0.6, val: 0.2, test: 0.2}",
		"spec.checkpoint", "{every: {epochs: 3}, keep_last: 2, keep_best: 2}", "spec.training.epochs", "60")
	c := Start(t, Options{Workers: 2})
	quiet := c.WaitDone(c.submitAs("quiet", stops))
	id := c.submitAs("fire", stops)
	c.WaitJob(id, "a checkpoint", func(j *lockstepv1.Job) bool { return len(j.Checkpoints) > 0 })
	c.KillWorkers()
	c.Leader().Kill()
	c.AddWorker()
	c.AddWorker()
	fire := c.WaitDone(id)
	if fire.ModelDigest != quiet.ModelDigest || fire.Progress.Step != quiet.Progress.Step {
		t.Errorf("under fire %s after step %d, undisturbed %s after step %d", fire.ModelDigest, fire.Progress.Step, quiet.ModelDigest, quiet.Progress.Step)
	}
	if quiet.Progress.Step >= quiet.Progress.TotalSteps {
		t.Errorf("the job has not stopped early: %d steps", quiet.Progress.Step)
	}
	a, b := kept(quiet), kept(fire)
	if !slices.Equal(a, b) || len(a) < 3 {
		t.Errorf("under fire the checkpoints of steps %v stay, undisturbed those of %v", b, a)
	}
	c.checkBest(quiet)
	c.checkBest(fire)
}

func kept(j *lockstepv1.Job) (steps []uint64) {
	for _, k := range j.Checkpoints {
		steps = append(steps, k.Step)
	}
	return steps
}

// checkBest compares a job's result with its best checkpoint, and that one's figure with all that were measured.
func (c *Cluster) checkBest(j *lockstepv1.Job) {
	c.t.Helper()
	best, err := job.FindCheckpoint(j, job.Best)
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := c.Client.State(c.context(), best)
	if err != nil {
		c.t.Fatal(err)
	}
	if d := parameters(c.t, s); d != j.ModelDigest {
		c.t.Errorf("the result is %s, the best checkpoint, of step %d, has %s", j.ModelDigest, best.Step, d)
	}
	series, err := c.Client.GetSeries(c.context(), &lockstepv1.GetJobRequest{Job: j.Id})
	if err != nil {
		c.t.Fatal(err)
	}
	figure := lossOf(best.Metrics)
	for _, p := range series.Points {
		if v := lossOf(p.Metrics); v != 0 && v < figure {
			c.t.Errorf("the best checkpoint has val_loss %v, step %d has %v", figure, p.Step, v)
		}
	}
	if figure == 0 {
		c.t.Error("the best checkpoint has no val_loss")
	}
}

// lossOf is the validation loss among metrics; 0: it is not there.
func lossOf(metrics []*lockstepv1.Value) float64 {
	for _, v := range metrics {
		if v.Name == "val_loss" {
			return v.Value
		}
	}
	return 0
}

// parameters is the digest of a state's parameters as a model.
func parameters(t *testing.T, s *ckpt.State) string {
	t.Helper()
	var tensors []export.Tensor
	for _, x := range s.Tensors {
		if name, ok := strings.CutPrefix(x.Name, "param/"); ok {
			tensors = append(tensors, export.Tensor{Name: name, Shape: x.Shape, Data: x.Data})
		}
	}
	d, err := export.Digest(tensors)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
