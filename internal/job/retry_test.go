package job

import (
	"fmt"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

func deleteJob(id string, force bool) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_DeleteJob{DeleteJob: &lockstepv1.DeleteJob{Job: id, Force: force}}}
}

// retry goes on with a job, under the id with a "+" behind, from a step; 0: from the beginning.
func retry(m *machine, id string, step uint64) *lockstepv1.Command {
	old := m.Job(id)
	if old == nil {
		old = &lockstepv1.Job{Id: id, MicroBatches: 4}
	}
	c := &lockstepv1.CreateJob{Job: Again(old, id+"+")}
	if step > 0 {
		c.From = fmt.Sprintf("%s@%d", id, step)
	}
	return &lockstepv1.Command{Op: &lockstepv1.Command_CreateJob{CreateJob: c}}
}

// TestRetry: the new job has what the old one had up to the checkpoint, and nothing after it; the old one stays.
func TestRetry(t *testing.T) {
	m := newMachine()
	m.do(addWorker("a"))
	m.do(createJob("j"))
	g := m.do(form("j", 0, member("a", 0, 4))).Index
	if r := m.do(retry(m, "j", 0)); r.Refusal != lockstepv1.Refusal_REFUSAL_CONFLICT || !strings.Contains(r.Message, "RUNNING") {
		t.Errorf("retry of a running job: %v", r)
	}
	for _, step := range []uint64{10, 20} {
		m.do(progress("j", g, step))
		m.do(checkpoint("j", g, step))
	}
	m.do(progress("j", g, 25))
	m.do(cancel("j"))
	if r := m.do(retry(m, "j", 15)); r.Refusal != lockstepv1.Refusal_REFUSAL_NOT_FOUND {
		t.Errorf("retry from a step without checkpoint: %v", r)
	}
	if r := m.do(retry(m, "j", 10)); r.Refusal != lockstepv1.Refusal_REFUSAL_NONE {
		t.Fatal(r)
	}
	wantState(t, m, "j+", pending)
	wantState(t, m, "j", cancelled)
	j := m.Job("n-j")
	if j.Id != "j+" || j.RetryOf != "j" || j.RetryFrom != "j@10" || len(j.Checkpoints) != 1 || j.Checkpoints[0].Id != "j+@10" || j.Progress.Step != 10 {
		t.Errorf("the new job is %v", j)
	}
	if p := m.Series("j+").GetPoints(); len(p) != 1 || p[0].Step != 10 {
		t.Errorf("its figures are %v", p)
	}
	m.do(cancel("j+"))
	if m.do(retry(m, "j+", 0)); len(m.Job("j++").Checkpoints) != 0 || m.Job("j++").RetryFrom != "" {
		t.Errorf("from the beginning: %v", m.Job("j++"))
	}
}

func TestRetryFrom(t *testing.T) {
	j := &lockstepv1.Job{Id: "j", Monitor: "val_loss", Checkpoints: []*lockstepv1.Checkpoint{measured(10, 1), measured(20, 2)}}
	for from, want := range map[string]string{"": "j@20", Last: "j@20", Best: "j@10", "10": "j@10", Start: ""} {
		if got, err := RetryFrom(j, from); err != nil || got != want {
			t.Errorf("from %q: %q, %v; want %q", from, got, err, want)
		}
	}
	if got, err := RetryFrom(&lockstepv1.Job{}, ""); err != nil || got != "" {
		t.Errorf("without checkpoints: %q, %v", got, err)
	}
	if _, err := RetryFrom(&lockstepv1.Job{}, Last); err == nil {
		t.Error("the last of no checkpoints was found")
	}
}

func TestDeleteJob(t *testing.T) {
	m := newMachine()
	m.do(addWorker("a"))
	m.do(createJob("j"))
	m.do(createJob("k"))
	g := m.do(form("j", 0, member("a", 0, 4))).Index
	m.do(progress("j", g, 3))
	if r := m.do(deleteJob("j", false)); r.Refusal != lockstepv1.Refusal_REFUSAL_CONFLICT || m.Job("j") == nil {
		t.Errorf("delete of a running job: %v", r)
	}
	if r := m.do(deleteJob("j", true)); r.Refusal != lockstepv1.Refusal_REFUSAL_NONE || m.Job("j") != nil || m.Series("j") != nil {
		t.Errorf("delete by force: %v", r)
	}
	if m.JobOf("a") != nil || len(m.Jobs()) != 1 {
		t.Errorf("worker a works for %v; jobs %v", m.JobOf("a"), m.Jobs())
	}
	if r := m.do(deleteJob("j", false)); r.Refusal != lockstepv1.Refusal_REFUSAL_NOT_FOUND {
		t.Errorf("delete of no job: %v", r)
	}
	if err := m.check(); err != nil {
		t.Fatal(err)
	}
}
