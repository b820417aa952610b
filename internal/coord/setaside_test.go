package coord

import (
	"bytes"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/job"
)

// jobWithCheckpoints makes a job with a worker and two checkpoints, and returns it.
func (q *quorum) jobWithCheckpoints() *lockstepv1.Job {
	q.t.Helper()
	c := q.clients[q.leader()]
	if _, err := c.Register(q.context(), &lockstepv1.RegisterRequest{Worker: &lockstepv1.Worker{Id: "w", Address: "127.0.0.1:1", Cores: 1}}); err != nil {
		q.t.Fatal(err)
	}
	j, err := c.SubmitJob(q.context(), &lockstepv1.SubmitJobRequest{RequestId: "r", Spec: testSpec(q.t)})
	if err != nil {
		q.t.Fatal(err)
	}
	j = q.waitJob(j.Id, func(j *lockstepv1.Job) bool { return j.Generation != nil })
	for step := range uint64(2) {
		q.commit(j, &ckpt.State{Step: step + 1, Tensors: []ckpt.Tensor{{Name: "w", Shape: []int{1}, Data: []float32{float32(step)}}}})
	}
	return q.waitJob(j.Id, func(j *lockstepv1.Job) bool { return len(j.Checkpoints) == 2 })
}

func (q *quorum) commit(j *lockstepv1.Job, s *ckpt.State) {
	q.t.Helper()
	var body bytes.Buffer
	if err := ckpt.Encode(&body, s); err != nil {
		q.t.Fatal(err)
	}
	m, err := ckpt.BuildManifest(bytes.NewReader(body.Bytes()), int64(body.Len()))
	if err != nil {
		q.t.Fatal(err)
	}
	c := q.clients[q.leader()]
	put, err := c.PutChunk(q.context(), &lockstepv1.PutChunkRequest{Data: body.Bytes()})
	if err != nil {
		q.t.Fatal(err)
	}
	r, err := c.ReportCheckpoint(q.context(), &lockstepv1.ReportCheckpointRequest{Job: j.Id, Generation: j.Generation.Number, Checkpoint: &lockstepv1.Checkpoint{
		Id: j.Id + "@" + string('0'+rune(s.Step)), Step: s.Step, Size: m.Size, Root: m.Root[:], Chunks: [][]byte{put.Hash}}})
	if err != nil || len(r.Missing) > 0 {
		q.t.Fatalf("commit: %v %v", r, err)
	}
}

// waitJob waits until every coordinator's copy of a job is as wanted.
func (q *quorum) waitJob(id string, want func(*lockstepv1.Job) bool) (j *lockstepv1.Job) {
	q.t.Helper()
	for _, n := range q.nodes {
		for ctx := q.context(); ; {
			changed := n.fsm.read(func(s *job.State) { j = s.Job(id) })
			if j != nil && want(j) {
				break
			}
			select {
			case <-changed:
			case <-ctx.Done():
				q.t.Fatalf("job is %v", j)
			}
		}
	}
	return j
}

// lose takes the only chunk of a checkpoint from some coordinators.
func (q *quorum) lose(c *lockstepv1.Checkpoint, nodes ...int) {
	q.t.Helper()
	for _, i := range nodes {
		if err := q.nodes[i].chunks.Delete(q.context(), ckpt.Hash(c.Chunks[0])); err != nil {
			q.t.Fatal(err)
		}
	}
}

func (q *quorum) report(j *lockstepv1.Job) {
	q.t.Helper()
	newest := j.Checkpoints[len(j.Checkpoints)-1]
	_, err := q.clients[q.leader()].ReportFault(q.context(), &lockstepv1.ReportFaultRequest{Job: j.Id, Generation: j.Generation.Number,
		Worker: "w", Error: "cannot read", BadCheckpoint: newest.Id})
	if err != nil {
		q.t.Fatal(err)
	}
}

func TestAnUnreadableCheckpointIsSetAside(t *testing.T) {
	q := newQuorum(t)
	j := q.jobWithCheckpoints()
	q.lose(j.Checkpoints[1], 0, 1, 2)
	q.report(j)
	after := q.waitJob(j.Id, func(j *lockstepv1.Job) bool { return len(j.SetAside) > 0 })
	if len(after.Checkpoints) != 1 || after.Checkpoints[0].Id != j.Checkpoints[0].Id {
		t.Errorf("checkpoints left: %v", after.Checkpoints)
	}
	var alerts []string
	q.nodes[0].fsm.read(func(s *job.State) {
		for _, e := range s.EventsAfter(0) {
			if strings.HasSuffix(e.Subject, ".alert") {
				alerts = append(alerts, string(e.Data))
			}
		}
	})
	if len(alerts) != 1 || !strings.Contains(alerts[0], j.Checkpoints[1].Id) {
		t.Errorf("alerts: %q", alerts)
	}
}

// A checkpoint of which one coordinator has a good copy is mended, not set aside.
func TestAReadableCheckpointStays(t *testing.T) {
	q := newQuorum(t)
	j := q.jobWithCheckpoints()
	q.lose(j.Checkpoints[1], 0, 1)
	q.report(j)
	if after := q.waitJob(j.Id, func(*lockstepv1.Job) bool { return true }); len(after.SetAside) > 0 {
		t.Fatalf("set aside: %v", after.SetAside)
	}
	if !q.nodes[q.leader()].chunks.Has(ckpt.Hash(j.Checkpoints[1].Chunks[0])) {
		t.Error("the leader did not mend its copy")
	}
}

// What a coordinator that does not answer may have is not given up.
func TestAMinorityDoesNotCondemn(t *testing.T) {
	q := newQuorum(t)
	j := q.jobWithCheckpoints()
	n := q.nodes[0]
	q.lose(j.Checkpoints[1], 0)
	q.nodes[1].grpc.Stop()
	q.nodes[2].grpc.Stop()
	if err := n.readCheckpoint(q.context(), j.Checkpoints[1]); err == nil || noGoodCopy(err) {
		t.Errorf("one of three coordinators says: %v", err)
	}
}
