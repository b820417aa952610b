package job

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// machine applies commands at rising indices.
type machine struct {
	*State
	next uint64
}

func newMachine() *machine { return &machine{New(), 1} }

func (m *machine) do(c *lockstepv1.Command) *lockstepv1.Result {
	c.NowMs = int64(m.next) * 1000
	r := m.Apply(m.next, c)
	m.next++
	return r
}

func addWorker(id string) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_AddWorker{AddWorker: &lockstepv1.AddWorker{
		Worker: &lockstepv1.Worker{Id: id, Address: id + ":1", Cores: 1}}}}
}

func removeWorker(id string) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_RemoveWorker{RemoveWorker: &lockstepv1.RemoveWorker{Worker: id}}}
}

func createJob(id string) *lockstepv1.Command {
	return &lockstepv1.Command{RequestId: "create-" + id, Op: &lockstepv1.Command_CreateJob{CreateJob: &lockstepv1.CreateJob{
		Job: &lockstepv1.Job{Id: id, Name: "n-" + id, MicroBatches: 4, WorkersMin: 1, WorkersMax: 4}}}}
}

func form(job string, replaces uint64, members ...*lockstepv1.Member) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_FormGeneration{FormGeneration: &lockstepv1.FormGeneration{
		Job: job, Replaces: replaces, Members: members}}}
}

func member(w string, from, to uint32) *lockstepv1.Member {
	return &lockstepv1.Member{Worker: w, SegmentFrom: from, SegmentTo: to}
}

func start(job string, g uint64) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_StartGeneration{StartGeneration: &lockstepv1.StartGeneration{
		Job: job, Generation: g, Start: &lockstepv1.Start{Position: 1}}}}
}

func progress(job string, g, step uint64) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_RecordProgress{RecordProgress: &lockstepv1.RecordProgress{
		Job: job, Generation: g, Progress: &lockstepv1.Progress{Step: step, TimedRecords: 10, TimedSeconds: 0.5, RingBytes: 7, FloatRingBytes: 6, Redone: 1,
			Metrics: []*lockstepv1.Value{{Name: "train_loss", Value: 1 / float64(step+1)}}}}}}
}

func checkpoint(job string, g, step uint64) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_CommitCheckpoint{CommitCheckpoint: &lockstepv1.CommitCheckpoint{
		Job: job, Generation: g, KeepLast: 2, Checkpoint: &lockstepv1.Checkpoint{Id: fmt.Sprintf("%s@%d", job, step), Step: step}}}}
}

func setAside(job string, step uint64) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_SetAsideCheckpoint{SetAsideCheckpoint: &lockstepv1.SetAsideCheckpoint{
		Job: job, Checkpoint: fmt.Sprintf("%s@%d", job, step), Reason: "bits"}}}
}

func finish(job string, g uint64) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_FinishJob{FinishJob: &lockstepv1.FinishJob{
		Job: job, Generation: g, ModelDigest: "sha256:x", Progress: &lockstepv1.Progress{Step: 9}}}}
}

func suspend(job string, g uint64) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_SuspendJob{SuspendJob: &lockstepv1.SuspendJob{Job: job, Generation: g, Reason: "r"}}}
}

func cancel(job string) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_CancelJob{CancelJob: &lockstepv1.CancelJob{Job: job, Reason: "user"}}}
}

func ack(n uint64) *lockstepv1.Command {
	return &lockstepv1.Command{Op: &lockstepv1.Command_AckEvents{AckEvents: &lockstepv1.AckEvents{Sequence: n}}}
}

func wantState(t *testing.T, m *machine, id string, want lockstepv1.JobState) {
	t.Helper()
	if got := m.Job(id).State; got != want {
		t.Fatalf("job %s is %v, want %v", id, got, want)
	}
	if err := m.check(); err != nil {
		t.Fatal(err)
	}
}

func TestLifeOfAJob(t *testing.T) {
	m := newMachine()
	m.do(addWorker("a"))
	m.do(addWorker("b"))
	m.do(createJob("j"))
	wantState(t, m, "j", pending)
	g := m.do(form("j", 0, member("a", 0, 2), member("b", 2, 4))).Index
	wantState(t, m, "j", running)
	if got := m.JobOf("b"); got.GetId() != "j" {
		t.Fatalf("worker b works for %v", got)
	}
	m.do(start("j", g))
	m.do(progress("j", g, 3))
	m.do(progress("j", g, 5))
	if p := m.Job("j").Progress; p.Step != 5 || p.TimedRecords != 20 || p.TimedSeconds != 1 || p.RingBytes != 14 || p.FloatRingBytes != 12 || p.Redone != 2 {
		t.Fatalf("progress %v", p)
	}
	m.do(removeWorker("a"))
	g2 := m.do(form("j", g, member("b", 0, 4))).Index
	if g2 <= g {
		t.Fatalf("generation %d follows %d", g2, g)
	}
	for _, step := range []uint64{2, 4, 6} {
		m.do(checkpoint("j", g2, step))
	}
	if c := m.Job("j").Checkpoints; len(c) != 2 || c[1].Step != 6 {
		t.Fatalf("checkpoints %v, want the last two", c)
	}
	for range 2 { // the second time is a retry
		m.do(setAside("j", 6))
	}
	if j := m.Job("j"); len(j.Checkpoints) != 1 || j.Checkpoints[0].Step != 4 || len(j.SetAside) != 1 || j.SetAside[0].SetAsideReason != "bits" {
		t.Fatalf("checkpoints %v, set aside %v", j.Checkpoints, j.SetAside)
	}
	m.do(suspend("j", g2))
	wantState(t, m, "j", recovering)
	if m.JobOf("b") != nil {
		t.Fatal("worker b is not free")
	}
	g3 := m.do(form("j", g2, member("b", 0, 4))).Index
	m.do(finish("j", g3))
	wantState(t, m, "j", succeeded)
	if j := m.Job("n-j"); j.ModelDigest != "sha256:x" || j.Generations != 3 || j.FinishedMs == 0 {
		t.Fatalf("job by name: %v", j)
	}
}

func TestRefusals(t *testing.T) {
	m := newMachine()
	m.do(addWorker("a"))
	m.do(createJob("j"))
	m.do(createJob("k"))
	g := m.do(form("j", 0, member("a", 0, 4))).Index
	for _, c := range []struct {
		name string
		cmd  *lockstepv1.Command
		want lockstepv1.Refusal
	}{
		{"progress of an unknown job", progress("x", 1, 1), lockstepv1.Refusal_REFUSAL_NOT_FOUND},
		{"progress of a stale generation", progress("j", g-1, 1), lockstepv1.Refusal_REFUSAL_STALE},
		{"checkpoint of a stale generation", checkpoint("j", g-1, 1), lockstepv1.Refusal_REFUSAL_STALE},
		{"result of a stale generation", finish("j", g-1), lockstepv1.Refusal_REFUSAL_STALE},
		{"a second worker's job", form("k", 0, member("a", 0, 4)), lockstepv1.Refusal_REFUSAL_CONFLICT},
		{"a worker that is not there", form("j", g, member("z", 0, 4)), lockstepv1.Refusal_REFUSAL_CONFLICT},
		{"segments with a gap", form("j", g, member("a", 1, 4)), lockstepv1.Refusal_REFUSAL_CONFLICT},
		{"too few segments", form("j", g, member("a", 0, 3)), lockstepv1.Refusal_REFUSAL_CONFLICT},
		{"nobody", form("j", g), lockstepv1.Refusal_REFUSAL_CONFLICT},
		{"no such worker to remove", removeWorker("z"), lockstepv1.Refusal_REFUSAL_NOT_FOUND},
	} {
		before := snapshotOf(t, m.State)
		r := m.do(c.cmd)
		if r.Refusal != c.want || r.Message == "" {
			t.Errorf("%s: %v %q, want %v", c.name, r.Refusal, r.Message, c.want)
		}
		m.State.index = m.next - 2 // the index may move, nothing else
		if !bytes.Equal(before, snapshotOf(t, m.State)) {
			t.Errorf("%s: a refused command changed the state", c.name)
		}
		m.State.index = m.next - 1
	}
	m.do(cancel("j"))
	if r := m.do(cancel("j")); r.Refusal != lockstepv1.Refusal_REFUSAL_CONFLICT {
		t.Errorf("cancel of an ended job: %v", r)
	}
}

func TestRetriesAreHarmless(t *testing.T) {
	m := newMachine()
	first := m.do(createJob("j"))
	again := m.do(createJob("j"))
	if !proto.Equal(first, again) {
		t.Errorf("retry gave %v, first gave %v", again, first)
	}
	if n := len(m.Jobs()); n != 1 {
		t.Errorf("%d jobs after a retry", n)
	}
}

func TestUnknownCommandPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a command without an operation was taken")
		}
	}()
	New().Apply(1, &lockstepv1.Command{})
}

func TestEventsHaveNoGapAndWaitForTheirAck(t *testing.T) {
	m := newMachine()
	m.do(createJob("j"))
	m.do(addWorker("a"))
	g := m.do(form("j", 0, member("a", 0, 4))).Index
	for step := range uint64(maxEvents) {
		m.do(progress("j", g, step+1))
	}
	all := m.EventsAfter(0)
	if len(all) <= maxEvents || all[0].Sequence != 1 {
		t.Fatalf("%d events from %d: events were dropped before they were acknowledged", len(all), all[0].Sequence)
	}
	last := all[len(all)-1].Sequence
	m.do(ack(last))
	kept := m.EventsAfter(0)
	if len(kept) != maxEvents || kept[len(kept)-1].Sequence != last {
		t.Fatalf("%d events up to %d, want %d up to %d", len(kept), kept[len(kept)-1].Sequence, maxEvents, last)
	}
	if got := m.EventsAfter(last - 3); len(got) != 3 || got[0].Sequence != last-2 {
		t.Fatalf("after %d: %d events", last-3, len(got))
	}
	if err := m.check(); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	m := randomMachine(rand.New(rand.NewPCG(1, 2)), 2000)
	data := snapshotOf(t, m.State)
	back, err := ReadSnapshot(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, snapshotOf(t, back)) {
		t.Fatal("a restored state writes another snapshot")
	}
	for _, w := range m.Workers() {
		if m.JobOf(w.Id).GetId() != back.JobOf(w.Id).GetId() {
			t.Errorf("worker %s works for %q after restore", w.Id, back.JobOf(w.Id).GetId())
		}
	}
	other := &machine{back, m.next}
	for range 100 {
		c := randomCommand(rand.New(rand.NewPCG(3, m.next)), m)
		if a, b := m.do(proto.CloneOf(c)), other.do(c); !proto.Equal(a, b) {
			t.Fatalf("after restore %v gave %v, before %v", c, b, a)
		}
	}
}

func TestCloneIsNotTouchedByLaterCommands(t *testing.T) {
	m := randomMachine(rand.New(rand.NewPCG(5, 6)), 500)
	c := m.Clone()
	before := snapshotOf(t, c)
	r := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		m.do(randomCommand(r, m))
	}
	if !bytes.Equal(before, snapshotOf(t, c)) {
		t.Fatal("a clone changed")
	}
}

// TestReplicasAgree applies random commands to two states and compares them, and the invariants, all the way.
func TestReplicasAgree(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, b := newMachine(), newMachine()
		for range 300 {
			c := randomCommand(r, a)
			a.do(proto.CloneOf(c))
			b.do(c)
			if err := a.check(); err != nil {
				t.Fatalf("seed %d, after %v: %v", seed, c, err)
			}
		}
		if !bytes.Equal(snapshotOf(t, a.State), snapshotOf(t, b.State)) {
			t.Fatalf("seed %d: replicas differ", seed)
		}
	}
}

func FuzzReadSnapshot(f *testing.F) {
	var b bytes.Buffer
	if err := randomMachine(rand.New(rand.NewPCG(1, 1)), 50).WriteSnapshot(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(snapshotHeader))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ReadSnapshot(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrSnapshot) {
				t.Fatalf("error %v is not ErrSnapshot", err)
			}
			return
		}
		_ = snapshotOf(t, s)
	})
}

// FuzzApply gives the state machine whatever decodes as a valid command: it may refuse it, it must not fall over.
func FuzzApply(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 9))
	m := newMachine()
	for range 60 {
		c := randomCommand(r, m)
		data, err := proto.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		m.do(c)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c lockstepv1.Command
		if proto.Unmarshal(data, &c) != nil || Validate(&c) != nil {
			return
		}
		m := randomMachine(rand.New(rand.NewPCG(4, 4)), 40)
		m.do(&c)
		if err := m.check(); err != nil {
			t.Fatalf("after %v: %v", &c, err)
		}
	})
}

func snapshotOf(t *testing.T, s *State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func randomMachine(r *rand.Rand, n int) *machine {
	m := newMachine()
	for range n {
		m.do(randomCommand(r, m))
	}
	return m
}

// randomCommand is mostly a sensible one.
func randomCommand(r *rand.Rand, m *machine) *lockstepv1.Command {
	worker := fmt.Sprintf("w%d", r.IntN(6))
	id := fmt.Sprintf("j%d", r.IntN(5))
	g := m.Job(id).GetGeneration().GetNumber()
	if r.IntN(10) == 0 {
		g--
	}
	step := r.Uint64N(50)
	switch r.IntN(19) {
	case 17:
		return deleteJob(id, r.IntN(2) == 0)
	case 18:
		return retry(m, id, step)
	case 16:
		return deleteCheckpoint(id, fmt.Sprintf("%s@%d", id, step))
	case 13:
		return pushDataset(worker, byte(r.IntN(4)))
	case 14:
		return deleteDataset(worker)
	case 15:
		return createReader(id, byte(r.IntN(4)))
	case 12:
		return setAside(id, step)
	case 0:
		return addWorker(worker)
	case 1:
		return removeWorker(worker)
	case 2:
		return createJob(id)
	case 3:
		return cancel(id)
	case 4, 5:
		other := fmt.Sprintf("w%d", r.IntN(6))
		return form(id, g, member(worker, 0, 2), member(other, 2, 4))
	case 6:
		return start(id, g)
	case 7:
		return suspend(id, g)
	case 8:
		return checkpoint(id, g, step)
	case 9:
		return ack(r.Uint64N(200))
	case 10:
		if r.IntN(5) == 0 {
			return finish(id, g)
		}
		return &lockstepv1.Command{Op: &lockstepv1.Command_SetCoordinator{SetCoordinator: &lockstepv1.SetCoordinator{
			Coordinator: &lockstepv1.Coordinator{Id: worker, Address: id}}}}
	default:
		return progress(id, g, step)
	}
}

// check returns the first invariant of doc.go that does not hold.
func (s *State) check() error {
	jobOf := map[string]string{}
	for _, j := range s.Jobs() {
		if j.State != running {
			continue
		}
		next := uint32(0)
		for _, m := range j.Generation.Members {
			if other, twice := jobOf[m.Worker]; twice && other != j.Id {
				return fmt.Errorf("invariant 1: worker %s is in jobs %s and %s", m.Worker, other, j.Id)
			}
			jobOf[m.Worker] = j.Id
			if m.SegmentFrom != next {
				return fmt.Errorf("invariant 2: job %s: member %s begins at %d, want %d", j.Id, m.Worker, m.SegmentFrom, next)
			}
			next = m.SegmentTo
		}
		if next != j.MicroBatches {
			return fmt.Errorf("invariant 2: job %s: %d of %d segments are owned", j.Id, next, j.MicroBatches)
		}
	}
	for w, id := range s.memberOf {
		if jobOf[w] != id {
			return fmt.Errorf("index: worker %s is in %q, index says %q", w, jobOf[w], id)
		}
	}
	if len(jobOf) != len(s.memberOf) {
		return fmt.Errorf("index has %d workers, want %d", len(s.memberOf), len(jobOf))
	}
	return s.checkEvents()
}

func (s *State) checkEvents() error {
	want := s.nextEvent - uint64(len(s.events))
	if !slices.IsSortedFunc(s.events, func(a, b *lockstepv1.Event) int { return int(a.Index) - int(b.Index) }) {
		return errors.New("invariant 5: events are not in order of their index")
	}
	for _, e := range s.events {
		if e.Sequence != want {
			return fmt.Errorf("invariant 5: event %d, want %d", e.Sequence, want)
		}
		want++
	}
	return nil
}
