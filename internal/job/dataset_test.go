package job

import (
	"bytes"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

func root(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

func pushDataset(name string, version byte) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_SetDataset{SetDataset: &lockstepv1.SetDataset{Dataset: &lockstepv1.Dataset{
		Name: name, Root: root(version), Manifest: []byte{version}, Files: 1, Size: int64(version)}}}}
}

func deleteDataset(name string) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_DeleteDataset{DeleteDataset: &lockstepv1.DeleteDataset{Name: name}}}
}

func createReader(id string, version byte) *lockstepv1.Command {
	c := createJob(id)
	c.GetCreateJob().Job.DatasetRoot = root(version)
	return c
}

func TestLifeOfADataset(t *testing.T) {
	m := newMachine()
	do := func(c *lockstepv1.Command, want lockstepv1.Refusal) {
		t.Helper()
		if err := Validate(c); err != nil {
			t.Fatal(err)
		}
		if r := m.do(c); r.Refusal != want {
			t.Fatalf("refusal %v (%s), want %v", r.Refusal, r.Message, want)
		}
	}
	const none, conflict, missing = lockstepv1.Refusal_REFUSAL_NONE, lockstepv1.Refusal_REFUSAL_CONFLICT, lockstepv1.Refusal_REFUSAL_NOT_FOUND
	do(deleteDataset("d"), missing)
	do(createReader("early", 1), missing)
	do(pushDataset("d", 1), none)
	events := m.nextEvent
	do(pushDataset("d", 1), none) // the same again: nothing
	if m.nextEvent != events || m.Dataset("d").PushedMs != 3000 {
		t.Errorf("pushing the same again has an effect: %v", m.Dataset("d"))
	}
	do(createReader("j", 1), none)
	do(deleteDataset("d"), conflict)
	do(pushDataset("d", 2), none) // the job goes on reading version 1
	if m.Dataset("d").Root[0] != 2 || m.DatasetVersion(root(1)) == nil || !m.DatasetVersion(root(1)).Replaced {
		t.Error("version 1 is gone although a job reads it")
	}
	do(pushDataset("d", 3), none) // nobody reads version 2
	if m.DatasetVersion(root(2)) != nil {
		t.Error("version 2 is kept for nobody")
	}
	do(pushDataset("d", 1), none) // what was replaced comes back
	if d := m.Dataset("d"); d.Root[0] != 1 || d.Replaced || len(m.Datasets()) != 1 {
		t.Errorf("%v", m.Datasets())
	}
	do(pushDataset("d", 2), none)
	do(cancel("j"), none)
	if len(m.Datasets()) != 1 {
		t.Error("version 1 outlives its last job")
	}
	do(deleteDataset("d"), none)
	if len(m.Datasets()) != 0 {
		t.Error("a deleted dataset is still there")
	}
}

func TestDatasetsAreWellFormed(t *testing.T) {
	for _, c := range []*lockstepv1.Command{pushDataset("", 1), {Op: &lockstepv1.Command_SetDataset{SetDataset: &lockstepv1.SetDataset{}}}} {
		if Validate(c) == nil {
			t.Errorf("%v is taken", c)
		}
	}
}
