package coord

import (
	"fmt"
	"strings"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// world is a state that the scheduler's decisions are applied to.
type world struct {
	*job.State
	t     *testing.T
	index uint64
	now   time.Time
	step  uint64 // up to which any job has trained
}

func newWorld(t *testing.T) *world {
	return &world{State: job.New(), t: t, now: time.UnixMilli(1_000_000)}
}

func (w *world) apply(c *lockstepv1.Command) {
	w.t.Helper()
	w.index++
	c.NowMs = w.now.UnixMilli()
	if r := w.Apply(w.index, c); r.Refusal != lockstepv1.Refusal_REFUSAL_NONE {
		w.t.Fatalf("command %v was refused: %s", c, r.Message)
	}
}

func (w *world) add(ids ...string) {
	for _, id := range ids {
		w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_AddWorker{AddWorker: &lockstepv1.AddWorker{
			Worker: &lockstepv1.Worker{Id: id, Address: id, Cores: 1}}}})
	}
}

func (w *world) lose(id string) {
	w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_RemoveWorker{RemoveWorker: &lockstepv1.RemoveWorker{Worker: id}}})
}

func (w *world) submit(id string, least, most uint32) {
	w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CreateJob{CreateJob: &lockstepv1.CreateJob{
		Job: &lockstepv1.Job{Id: id, WorkersMin: least, WorkersMax: most, MicroBatches: 8}}}})
}

// settle lets the gathering window pass and the scheduler decide until it has no more wishes.
func (w *world) settle(v view) {
	w.t.Helper()
	w.now = w.now.Add(2 * gatherWindow)
	for range 10 {
		v.now = w.now
		cmds := schedule(w.State, v)
		if len(cmds) == 0 {
			return
		}
		for _, c := range cmds {
			w.apply(c)
		}
		w.work()
	}
	w.t.Fatal("the scheduler does not come to rest")
}

// work does what workers do: it starts the generations that form, all members at hand, and stores the state of jobs
// whose generation parks.
func (w *world) work() {
	w.t.Helper()
	for _, j := range w.Jobs() {
		if j.State != lockstepv1.JobState_JOB_STATE_RUNNING || j.Generation.Phase != lockstepv1.GenerationPhase_GENERATION_PHASE_FORMING {
			continue
		}
		w.step += 10
		start := &lockstepv1.Start{Position: 2*w.step + 1, Source: j.Generation.Members[0].Worker}
		for _, m := range j.Generation.Members {
			start.Holders = append(start.Holders, m.Worker)
		}
		w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_StartGeneration{StartGeneration: &lockstepv1.StartGeneration{
			Job: j.Id, Generation: j.Generation.Number, Start: start}}})
		if j.Generation.Park != noPark {
			w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CommitCheckpoint{CommitCheckpoint: &lockstepv1.CommitCheckpoint{
				Job: j.Id, Generation: j.Generation.Number, Checkpoint: &lockstepv1.Checkpoint{Id: fmt.Sprint(j.Id, "@", w.step), Step: w.step}}}})
		}
	}
}

// want compares all jobs with a text like "a RUNNING w1 w2; b PENDING".
func (w *world) want(want string) {
	w.t.Helper()
	var all []string
	for _, j := range w.Jobs() {
		s := j.Id + " " + job.StateName(j.State)
		for _, m := range j.Generation.GetMembers() {
			if job.Ended(j.State) {
				break
			}
			s += " " + m.Worker
		}
		all = append(all, s)
	}
	if got := strings.Join(all, "; "); got != want {
		w.t.Fatalf("jobs are: %s\nwant:     %s", got, want)
	}
}

func (w *world) submitAs(id string, priority int32, least, most uint32) {
	w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CreateJob{CreateJob: &lockstepv1.CreateJob{
		Job: &lockstepv1.Job{Id: id, WorkersMin: least, WorkersMax: most, MicroBatches: 8, Priority: priority}}}})
}

func (w *world) drain(id string, draining bool) {
	w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_DrainWorker{DrainWorker: &lockstepv1.DrainWorker{Worker: id, Draining: draining}}})
}

func TestFirstComeFirstServed(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2", "w3")
	w.submit("a", 1, 2)
	w.submit("b", 1, 8)
	w.submit("c", 1, 8)
	w.settle(view{})
	w.want("a RUNNING w1; b RUNNING w2; c RUNNING w3")
	w.submit("d", 1, 8)
	w.settle(view{})
	w.want("a RUNNING w1; b RUNNING w2; c RUNNING w3; d PENDING")
	w.cancel("b")
	w.settle(view{})
	w.want("a RUNNING w1; b CANCELLED; c RUNNING w3; d RUNNING w2")
	w.cancel("d")
	w.settle(view{})
	w.want("a RUNNING w1 w2; b CANCELLED; c RUNNING w3; d CANCELLED")
}

func (w *world) cancel(id string) {
	w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CancelJob{CancelJob: &lockstepv1.CancelJob{Job: id}}})
}

func TestGangStartWaitsForTheLeast(t *testing.T) {
	w := newWorld(t)
	w.submit("a", 3, 8)
	w.add("w1", "w2")
	w.settle(view{})
	w.want("a PENDING")
	w.add("w3")
	w.settle(view{})
	w.want("a RUNNING w1 w2 w3")
}

func TestAJobThatWaitsKeepsIdleWorkersFromRunningOnes(t *testing.T) {
	w := newWorld(t)
	w.add("w1")
	w.submit("a", 1, 8)
	w.settle(view{})
	w.submit("b", 2, 8)
	w.add("w2")
	w.settle(view{})
	w.want("a RUNNING w1; b PENDING")
	w.add("w3")
	w.settle(view{})
	w.want("a RUNNING w1; b RUNNING w2 w3")
}

func TestAJobThatCannotBePlacedHoldsNobodyUp(t *testing.T) {
	w := newWorld(t)
	w.submit("a", 5, 8)
	w.submit("b", 1, 8)
	w.add("w1", "w2")
	w.settle(view{})
	w.want("a PENDING; b RUNNING w1 w2")
}

func TestLossIsRepairedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2", "w3")
	w.submit("a", 2, 8)
	w.settle(view{})
	w.lose("w2")
	for _, c := range schedule(w.State, view{now: w.now}) {
		w.apply(c)
	}
	w.want("a RUNNING w1 w3")
	w.lose("w1")
	w.settle(view{})
	w.want("a RECOVERING")
	if c := w.Job("a").Checkpoints; len(c) != 1 || c[0].Step != w.step {
		t.Errorf("checkpoints %v: the one who was left did not store the state", c)
	}
	w.add("w4")
	w.settle(view{})
	w.want("a RUNNING w3 w4")
}

func TestIdleWorkersReplaceLostOnes(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2")
	w.submit("a", 2, 2)
	w.settle(view{})
	w.add("w3")
	w.settle(view{})
	w.lose("w1")
	w.settle(view{})
	w.want("a RUNNING w2 w3")
}

func TestNewcomersAreGathered(t *testing.T) {
	w := newWorld(t)
	w.add("w1")
	w.submit("a", 1, 8)
	w.settle(view{})
	before := w.Job("a").Generation.Number
	w.add("w2")
	if cmds := schedule(w.State, view{now: w.now}); len(cmds) != 0 {
		t.Fatalf("a worker that has just come was given away at once: %v", cmds)
	}
	w.add("w3")
	w.settle(view{})
	w.want("a RUNNING w1 w2 w3")
	if g := w.Job("a").Generations; g != 2 {
		t.Errorf("%d generations after %d, want 2 in all", g, before)
	}
}

func TestBrokenRingIsFormedAnewAfterItsHold(t *testing.T) {
	w := newWorld(t)
	w.add("w1", "w2")
	w.submit("a", 1, 8)
	w.settle(view{})
	g := w.Job("a").Generation.Number
	broken := view{now: w.now, rebuild: map[string]rebuild{"a": {generation: g, cause: "x"}}, hold: map[string]bool{"a": true}}
	if cmds := schedule(w.State, broken); len(cmds) != 0 {
		t.Fatalf("formed while it is held: %v", cmds)
	}
	broken.hold = nil
	w.settle(broken)
	w.want("a RUNNING w1 w2")
	if now := w.Job("a").Generation.Number; now == g {
		t.Error("no new generation was formed")
	}
}

func TestSegmentsFollowCores(t *testing.T) {
	w := newWorld(t)
	for i, cores := range []uint32{1, 3} {
		w.apply(&lockstepv1.Command{Op: &lockstepv1.Command_AddWorker{AddWorker: &lockstepv1.AddWorker{
			Worker: &lockstepv1.Worker{Id: fmt.Sprintf("w%d", i), Address: "x", Cores: cores}}}})
	}
	w.submit("a", 2, 8)
	w.settle(view{})
	m := w.Job("a").Generation.Members
	if m[0].SegmentTo-m[0].SegmentFrom != 2 || m[1].SegmentTo-m[1].SegmentFrom != 6 {
		t.Errorf("segments %v, want 2 and 6", m)
	}
}

func TestBreakerSlowsRepeatedBreaks(t *testing.T) {
	b := &breaker{}
	now := time.UnixMilli(0)
	var last time.Duration
	for g := uint64(1); g < 12; g++ {
		b.trip(now, rebuild{generation: g})
		b.trip(now, rebuild{generation: g, cause: "what followed"})
		if b.rebuild.cause != "" {
			t.Fatal("a later cause replaced the first")
		}
		d := b.until.Sub(now)
		if d < last || d > breakerMax {
			t.Fatalf("hold of %v after %v", d, last)
		}
		last = d
		now = now.Add(d)
	}
	if last != breakerMax {
		t.Errorf("hold of %v after many breaks, want %v", last, breakerMax)
	}
	now = now.Add(2 * breakerMemory)
	b.trip(now, rebuild{generation: 20})
	if d := b.until.Sub(now); d != breakerBase {
		t.Errorf("hold of %v after a quiet time, want %v", d, breakerBase)
	}
}
