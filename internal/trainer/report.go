package trainer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ledger"
	"lockstep/internal/ring"
)

// reporter tells the coordinators how far the job is, about once a second and after every evaluation, behind the
// steps. Only the first member of a generation reports: all stand at the same place.
type reporter struct {
	s      *session
	mu     sync.Mutex
	latest *lockstepv1.Progress // not yet sent, with what adds up since the last one sent; under mu; nil: nothing is new
	sent   uint64               // reports so far: a coordinator that gets one again knows it
	warm   int                  // steps made in this session, up to warmSteps; under mu
	chain  []ledger.Record      // the ledger so far; under mu
	told   uint64               // step of the newest record of it that was delivered in this session; under mu
	since  uint64               // step of the newest record when the session began
	ring   ring.Stats           // what was counted in a progress already; under mu
	kick   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

const (
	reportEvery = time.Second
	warmSteps   = 10 // steps whose time does not count: caches and buffers are cold
)

func newReporter(s *session) *reporter {
	ctx, cancel := context.WithCancel(s.ctx)
	r := &reporter{s: s, kick: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}), chain: s.task.state.chain}
	if n := len(r.chain); n > 0 {
		r.since = r.chain[n-1].Step
	}
	go func() {
		defer close(r.done)
		if s.rank == 0 {
			r.loop(ctx)
		}
	}()
	return r
}

// close ends the reports. Closing twice is safe.
func (r *reporter) close() {
	r.cancel()
	<-r.done
}

// stepped notes a step.
func (r *reporter) stepped(st *state, records int, d time.Duration) {
	if r.s.rank != 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.progress(st)
	if r.warm >= warmSteps {
		p.TimedRecords += uint64(records)
		p.TimedSeconds += d.Seconds()
		p.Phases = r.s.phases.addTo(p.Phases)
	}
	r.warm++
	if every := r.s.task.spec.Training.LogEvery; st.position%2 == 1 && r.s.task.hits(every, st.step()) {
		p.Metrics = values(named("train_", r.s.task.net.Metrics(st.sums)))
	}
	r.latest = p
	if r.warm == 1 { // that a new generation works is news
		r.kickLoop()
	}
}

// evaluated notes an evaluation, and has it sent at once.
func (r *reporter) evaluated(st *state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j, _ := r.s.latest()
	r.s.task.evals.arrived(j.Progress.GetEvaluated())
	p := r.place(st)
	p.Metrics, p.Evaluated = values(st.metrics), p.Step
	r.s.task.evals.add(p)
	if r.s.rank != 0 {
		return
	}
	r.latest = r.progress(st)
	r.latest.Metrics = nil
	r.kickLoop()
}

// kickLoop has what is new sent at once.
func (r *reporter) kickLoop() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// place is where the job stands.
func (r *reporter) place(st *state) *lockstepv1.Progress {
	t := r.s.task
	return &lockstepv1.Progress{Step: uint64(st.step()), Epoch: uint32(st.step() / t.perEpoch), TotalSteps: uint64(t.total),
		TotalEpochs: uint32(t.epochs), Parameters: uint64(t.parameters()), Workers: uint32(len(r.s.members))}
}

// progress is where the job stands, with the figures that add up and are not sent yet. REQUIRES: r.mu.
func (r *reporter) progress(st *state) *lockstepv1.Progress {
	r.chain = st.chain
	p := r.place(st)
	if old := r.latest; old != nil {
		p.Metrics = old.Metrics
		carry(p, old)
	}
	now := r.s.ring.Stats()
	p.RingBytes += now.BytesSent - r.ring.BytesSent
	p.FloatRingBytes += now.FloatRingBytes - r.ring.FloatRingBytes
	p.Redone += r.s.redone
	r.ring, r.s.redone = now, 0
	return p
}

// carry adds to p what adds up, from a progress that was not delivered.
func carry(p, old *lockstepv1.Progress) {
	p.TimedRecords += old.TimedRecords
	p.TimedSeconds += old.TimedSeconds
	p.RingBytes += old.RingBytes
	p.FloatRingBytes += old.FloatRingBytes
	p.Redone += old.Redone
	p.Phases = addPhases(p.Phases, old.Phases)
}

// addPhases adds sums of steps' phases, either of which may be nil.
func addPhases(a, b *lockstepv1.Phases) *lockstepv1.Phases {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return &lockstepv1.Phases{Compute: a.Compute + b.Compute, Wait: a.Wait + b.Wait, Reduce: a.Reduce + b.Reduce,
		Update: a.Update + b.Update, Steps: a.Steps + b.Steps}
}

// parameters counts the model's parameters.
func (t *task) parameters() int {
	n := 0
	for _, p := range t.params {
		n += p.Len
	}
	return n
}

func (r *reporter) loop(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
		case <-tick.C:
		}
		if r.flush(ctx) != nil {
			continue // figures arrive in their order
		}
		if p := r.take(); p != nil {
			r.send(ctx, p)
		}
	}
}

// flush delivers the evaluations, one by one and in order: the figures of each are an event.
func (r *reporter) flush(ctx context.Context) error {
	for evals := &r.s.task.evals; ; {
		p := evals.oldest()
		if p == nil {
			return nil
		}
		if err := r.deliver(ctx, p); err != nil {
			return err
		}
		evals.arrived(p.Evaluated)
	}
}

// take takes what is new.
func (r *reporter) take() *lockstepv1.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.latest
	r.latest = nil
	return p
}

// send reports; what cannot be delivered goes with the next report.
func (r *reporter) send(ctx context.Context, p *lockstepv1.Progress) {
	if r.deliver(ctx, p) == nil || ctx.Err() == nil {
		return // delivered, or refused for good
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.latest == nil {
		r.latest = p
		return
	}
	r.latest = proto.CloneOf(r.latest)
	carry(r.latest, p)
}

// deliver makes one report, with what is new of the ledger.
func (r *reporter) deliver(ctx context.Context, p *lockstepv1.Progress) error {
	l := r.ledger()
	r.sent++
	_, err := r.s.w.client.ReportProgress(ctx, &lockstepv1.ReportProgressRequest{Job: r.s.jobID, Generation: r.s.generation, Progress: p, Ledger: l,
		RequestId: fmt.Sprintf("%s-%d-%d", r.s.jobID, r.s.generation, r.sent)})
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(l.Chain); err == nil && n > 0 {
		r.told = l.Chain[n-1].Step
	}
	return err
}

// finish reports the result, with what the last reports did not carry. REQUIRES: the reporter is closed.
func (r *reporter) finish(ctx context.Context, st *state, digest string) error {
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	p := r.progress(st)
	r.mu.Unlock()
	p.Metrics = values(st.metrics)
	_, err := r.s.w.client.Finish(ctx, &lockstepv1.FinishRequest{Job: r.s.jobID, Generation: r.s.generation, ModelDigest: digest, Progress: p,
		Ledger: r.ledger()})
	return err
}

// values is a map of metrics as a list, sorted by name.
func values(m map[string]float64) []*lockstepv1.Value {
	var out []*lockstepv1.Value
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, &lockstepv1.Value{Name: k, Value: m[k]})
	}
	return out
}
