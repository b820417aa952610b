package job

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

func measured(step uint64, loss float64) *lockstepv1.Checkpoint {
	c := &lockstepv1.Checkpoint{Id: fmt.Sprintf("j@%d", step), Step: step}
	if !math.IsInf(loss, 1) {
		c.Metrics = []*lockstepv1.Value{{Name: "val_loss", Value: loss}}
	}
	return c
}

func steps(list []*lockstepv1.Checkpoint) (out []uint64) {
	for _, c := range list {
		out = append(out, c.Step)
	}
	return out
}

// TestRetention: the last ones stay, and the best of all that ever were.
func TestRetention(t *testing.T) {
	none := math.Inf(1)
	for _, c := range []struct {
		name       string
		losses     []float64 // of steps 1, 2, ...
		last, best int
		higher     bool
		want       []uint64
	}{
		{"all fit", []float64{3, 2}, 2, 0, false, []uint64{1, 2}},
		{"the last ones", []float64{3, 2, 1, 4}, 2, 0, false, []uint64{3, 4}},
		{"the best one, too", []float64{3, 1, 2, 4, 5}, 2, 1, false, []uint64{2, 4, 5}},
		{"the highest", []float64{3, 1, 2, 4, 5, 0, 0}, 1, 2, true, []uint64{4, 5, 7}},
		{"the older of equal ones", []float64{1, 1, 2, 2, 2}, 1, 1, false, []uint64{1, 5}},
		{"the best is a last one", []float64{5, 4, 3, 2, 1}, 2, 1, false, []uint64{4, 5}},
		{"not measured everywhere", []float64{none, 2, none, math.NaN(), none}, 1, 1, false, []uint64{2, 5}},
		{"never measured", []float64{none, none, none}, 1, 3, false, []uint64{3}},
	} {
		j := &lockstepv1.Job{Id: "j", Monitor: "val_loss", HigherIsBetter: c.higher}
		for i, loss := range c.losses {
			j.Checkpoints = retained(j, append(slices.Clone(j.Checkpoints), measured(uint64(i+1), loss)), c.last, c.best)
		}
		if got := steps(j.Checkpoints); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v stay, want %v", c.name, got, c.want)
		}
	}
}

// TestRetentionIsExact: what stays of a stream is what would stay of all at once.
func TestRetentionIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		j := &lockstepv1.Job{Id: "j", Monitor: "val_loss"}
		last, best := 1+r.IntN(3), r.IntN(4)
		var all []*lockstepv1.Checkpoint
		for step := range uint64(30) {
			c := measured(step, float64(r.IntN(20)))
			all = append(all, c)
			j.Checkpoints = retained(j, append(slices.Clone(j.Checkpoints), c), last, best)
		}
		if got, want := steps(j.Checkpoints), steps(retained(j, all, last, best)); !slices.Equal(got, want) {
			t.Fatalf("keep_last %d, keep_best %d: %v stay, want %v", last, best, got, want)
		}
	}
}

func TestFindCheckpoint(t *testing.T) {
	j := &lockstepv1.Job{Id: "j", Monitor: "val_loss", Checkpoints: []*lockstepv1.Checkpoint{measured(10, 3), measured(20, 1), measured(30, 2)}}
	for which, want := range map[string]uint64{Last: 30, Best: 20, "10": 10, "j@20": 20} {
		if c, err := FindCheckpoint(j, which); err != nil || c.Step != want {
			t.Errorf("%s: %v, %v; want step %d", which, c, err, want)
		}
	}
	for which, want := range map[string]string{"11": "[10 20 30]", "": "last, best", "best@": "has no checkpoint"} {
		if _, err := FindCheckpoint(j, which); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", which, err, want)
		}
	}
	if _, err := FindCheckpoint(&lockstepv1.Job{Id: "new"}, Last); err == nil || !strings.Contains(err.Error(), "no checkpoint yet") {
		t.Errorf("a job without checkpoints: %v", err)
	}
	j.Monitor = "val_f1"
	if _, err := FindCheckpoint(j, Best); err == nil || !strings.Contains(err.Error(), "val_f1") {
		t.Errorf("best by what was never measured: %v", err)
	}
}

func deleteCheckpoint(job, id string) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_DeleteCheckpoint{DeleteCheckpoint: &lockstepv1.DeleteCheckpoint{Job: job, Checkpoint: id}}}
}

// TestDeleteCheckpoint: the one to resume from stays, and so does the result.
func TestDeleteCheckpoint(t *testing.T) {
	m := newMachine()
	m.do(addWorker("a"))
	m.do(createJob("j"))
	g := m.do(form("j", 0, member("a", 0, 4))).Index
	m.do(checkpoint("j", g, 10))
	m.do(checkpoint("j", g, 20))
	refused := func(id string, want lockstepv1.Refusal, word string) {
		t.Helper()
		before := m.Job("j")
		if r := m.do(deleteCheckpoint("j", id)); r.Refusal != want || !strings.Contains(r.Message, word) || m.Job("j") != before {
			t.Errorf("delete %s: %v %q, want %v with %q", id, r.Refusal, r.Message, want, word)
		}
	}
	refused("j@20", lockstepv1.Refusal_REFUSAL_CONFLICT, "resume")
	refused("j@11", lockstepv1.Refusal_REFUSAL_NOT_FOUND, "j@11")
	if r := m.do(deleteCheckpoint("j", "j@10")); r.Refusal != lockstepv1.Refusal_REFUSAL_NONE || len(m.Job("j").Checkpoints) != 1 {
		t.Errorf("delete the older one: %v; %v", r, m.Job("j").Checkpoints)
	}
	m.do(finish("j", g))
	refused("j@20", lockstepv1.Refusal_REFUSAL_CONFLICT, "result")

	m.do(createJob("k"))
	g = m.do(form("k", 0, member("a", 0, 4))).Index
	m.do(checkpoint("k", g, 10))
	m.do(cancel("k"))
	if r := m.do(deleteCheckpoint("k", "k@10")); r.Refusal != lockstepv1.Refusal_REFUSAL_NONE || len(m.Job("k").Checkpoints) != 0 {
		t.Errorf("delete the last one of a cancelled job: %v", r)
	}
}
