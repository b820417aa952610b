package trainer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/fixed"
	"lockstep/internal/ring"
	"lockstep/internal/ring/grpclink"
)

// session is a worker's part in one generation of a job:
//
//  1. open the job's data and network (once a job)
//  2. join: report where this worker stands
//  3. wait until the generation is RUNNING: all members have reported
//  4. get to the position from which it starts: from a member, from a checkpoint, or from the initial weights
//  5. open the ring and train to the end
//
// It ends when it is stopped, at a fault, which it reports, or when the job is done.
type session struct {
	w          *Worker
	task       *task
	log        *slog.Logger
	jobID      string
	generation uint64
	rank       int
	members    []*lockstepv1.Member
	dispute    *lockstepv1.Divergence // of the generation; nil: none
	first      *lockstepv1.Generation // as it was when it started; nil: it has not
	known      uint64                 // steps that the coordinators knew of when it formed
	ring       *ring.Ring
	pace       *pace
	redone     uint64 // times that a step was done again for its scales, and not yet reported
	speed      speedometer
	phases     phases       // of the step under way, or the last one
	samples    atomic.Int64 // records of this member's micro-batches in it
	meter      *jobMeter
	report     *reporter
	uploads    *uploader
	fetch      prefetch

	mu   sync.Mutex
	job  *lockstepv1.Job // newest news of the job; under mu
	news chan struct{}   // closed and replaced with it; under mu

	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}

	// ops is the context of everything on the ring. It ends with the session, or with the first failure of this
	// member, and never before: a link whose operations' context ends is lost.
	ops   context.Context
	abort context.CancelCauseFunc
}

func startSession(w *Worker, t *task, j *lockstepv1.Job) *session {
	g := j.Generation
	s := &session{w: w, task: t, meter: w.meter.of(j.Id), job: j, jobID: j.Id, generation: g.Number, members: g.Members, dispute: g.Dispute, known: j.Progress.GetStep(), rank: -1,
		news: make(chan struct{}), done: make(chan struct{}), pace: newPace(),
		log: w.log.With("job", j.Id, "generation", g.Number)}
	for i, m := range g.Members {
		if m.Worker == w.id {
			s.rank = i
		}
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.ctx, _ = s.span(s.ctx, "generation") // what the session asks of coordinators is a part of it; run ends it
	s.ops, s.abort = context.WithCancelCause(s.ctx)
	go func() {
		defer close(s.done)
		s.run()
	}()
	return s
}

// stop ends the session and waits until nothing of it is under way.
func (s *session) stop(cause error) {
	s.cancel(cause)
	<-s.done
}

// tell gives the session news of its job.
func (s *session) tell(j *lockstepv1.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.job = j
	close(s.news)
	s.news = make(chan struct{})
}

// latest returns the newest news of the job and a channel that is closed when there is more.
func (s *session) latest() (*lockstepv1.Job, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.job, s.news
}

// run is the session's life. How it ends is told to the leader.
func (s *session) run() {
	defer s.cancel(errDone)
	defer s.abort(errDone)
	err := s.train()
	end(trace.SpanFromContext(s.ctx), err)
	var fault *jobError
	switch {
	case err == nil, s.ctx.Err() != nil:
	case errors.As(err, &fault):
		s.fail(fault)
	default:
		s.fault(err)
	}
}

// train forms the generation, under a span of its own, and does what it is for.
func (s *session) train() error {
	link, err := s.form()
	if err != nil {
		return err
	}
	if link != nil {
		defer link.Close()
	}
	defer s.logRefused()
	defer func() { s.meter.rang(s.ring.Stats()) }()
	if j, _ := s.latest(); j.Generation.Park != lockstepv1.JobState_JOB_STATE_UNSPECIFIED {
		return s.park()
	}
	return s.steps()
}

// form gets this member to the generation's start, with its ring open.
func (s *session) form() (link *grpclink.Link, err error) {
	ctx, span := s.span(s.ctx, "generation.form")
	defer func() { end(span, err) }()
	if err := s.task.open(ctx, s.job, s.w.cfg.Cores, s.w.data(s.job)); err != nil {
		return nil, err
	}
	s.task.readyCopies()
	s.task.reconsider(s.dispute)
	start, err := s.join(ctx)
	if err != nil {
		return nil, err
	}
	j, _ := s.latest()
	s.first = j.Generation
	if err := s.reach(start); err != nil {
		return nil, err
	}
	return s.openRing()
}

// rejoinEvery is how often a member repeats its report: a leader that took over knows of none.
const rejoinEvery = time.Second

// join reports where this worker stands until the generation runs.
func (s *session) join(ctx context.Context) (*lockstepv1.Start, error) {
	position, has := s.task.position()
	r := &lockstepv1.JoinRequest{Job: s.jobID, Generation: s.generation, Worker: s.w.id,
		HasState: has, Position: position, Fingerprint: s.task.info.Fingerprint[:]}
	for {
		if _, err := s.w.client.Join(ctx, r); err != nil && status.Code(err) != codes.Aborted {
			return nil, fmt.Errorf("join generation: %w", err)
		}
		again := time.NewTimer(rejoinEvery)
		start, err := s.running(again.C)
		again.Stop()
		if start != nil || err != nil {
			return start, err
		}
	}
}

// running waits until the generation runs; nil if that takes longer than until again.
func (s *session) running(again <-chan time.Time) (*lockstepv1.Start, error) {
	for {
		j, news := s.latest()
		if g := j.Generation; g.Phase == lockstepv1.GenerationPhase_GENERATION_PHASE_RUNNING {
			return g.Start, nil
		}
		select {
		case <-news:
		case <-again:
			return nil, nil
		case <-s.ctx.Done():
			return nil, context.Cause(s.ctx)
		}
	}
}

// reach takes the task's state to the position where the generation starts.
func (s *session) reach(start *lockstepv1.Start) error {
	position, has := s.task.position()
	switch {
	case start.Source != "" && has && position == start.Position:
		return nil
	case start.Source != "":
		return s.copyFrom(start)
	case start.Checkpoint != "":
		return s.restore(start.Checkpoint)
	default:
		return s.begin()
	}
}

// copyFrom takes the state of a member that is where the generation starts.
func (s *session) copyFrom(start *lockstepv1.Start) error {
	for i, m := range s.members {
		if m.Worker != start.Source {
			continue
		}
		c, err := s.w.fetchState(s.ctx, m.Address, &lockstepv1.FetchStateRequest{Job: s.jobID, Generation: s.generation, Position: start.Position})
		if err != nil {
			return &ring.PeerError{Generation: s.generation, Step: start.Position / 2, Peer: i, Err: err}
		}
		st, err := s.task.decode(c)
		if err != nil {
			return fmt.Errorf("state of worker %s: %w", m.Worker, err)
		}
		s.log.Info("state copied", "from", m.Worker, "step", st.step())
		s.task.replace(st)
		return nil
	}
	return fmt.Errorf("worker %s, whose state is wanted, is not a member", start.Source)
}

// openRing connects this member with the others, if there are any; the link ends with the session.
func (s *session) openRing() (link *grpclink.Link, err error) {
	cfg := ring.Config{Rank: s.rank, World: len(s.members), Job: s.jobID, Generation: s.generation,
		Packing: fixed.Packing{}, HalfResults: s.task.halves(), Timeout: s.pace.timeout}
	if len(s.members) > 1 {
		var peers []string
		for _, m := range s.members {
			peers = append(peers, m.Address)
		}
		if link, err = s.w.links.Open(s.ops, grpclink.Config{Job: s.jobID, Generation: s.generation, Rank: s.rank, Peers: peers}); err != nil {
			return nil, err
		}
		cfg.Link = link
	}
	s.ring, err = ring.New(cfg)
	return link, err
}

// fault tells the leader that this member cannot go on in the generation, and whom it suspects, until the leader has
// formed the next one.
func (s *session) fault(err error) {
	r := &lockstepv1.ReportFaultRequest{Job: s.jobID, Generation: s.generation, Worker: s.w.id, Error: err.Error()}
	var p *ring.PeerError
	if errors.As(err, &p) && p.Peer >= 0 && p.Peer < len(s.members) {
		r.Suspect = s.members[p.Peer].Worker
	}
	if c := (*checkpointError)(nil); errors.As(err, &c) && c.unreadable() {
		r.BadCheckpoint = c.id
	}
	var d *divergence
	if errors.As(err, &d) {
		r.Divergence = d.found
	}
	var a *attemptError
	if errors.As(err, &a) {
		r.Attempt = a.attempt
	}
	s.log.Info("fault", "error", err, "suspect", r.Suspect)
	s.meter.faults.Inc()
	for {
		s.send("fault", func(ctx context.Context) error {
			_, err := s.w.client.ReportFault(ctx, r)
			return err
		})
		if !pause(s.ctx, refaultEvery) {
			return
		}
	}
}

// refaultEvery is how often a fault is reported until the generation is over: a leader that took over knows of none.
const refaultEvery = 2 * time.Second

// fail ends the job for a reason that lies in it.
func (s *session) fail(err error) {
	s.log.Warn("job cannot go on", "error", err)
	s.send("failure", func(ctx context.Context) error {
		_, err := s.w.client.Fail(ctx, &lockstepv1.FailRequest{Job: s.jobID, Generation: s.generation, Worker: s.w.id, Reason: err.Error()})
		return err
	})
}

// send delivers a message while the session lasts. That the leader refuses it because the generation is over is fine.
func (s *session) send(what string, call func(context.Context) error) {
	if err := call(s.ctx); err != nil && s.ctx.Err() == nil && status.Code(err) != codes.Aborted {
		s.log.Info("message was not delivered", "message", what, "error", err)
	}
}

// logRefused tells of frames that this member's ring turned away.
func (s *session) logRefused() {
	st := s.ring.Stats()
	if n := st.Corrupt + st.WrongJob + st.WrongGeneration + st.Stale + st.Unexpected; n > 0 {
		s.log.Warn("frames were refused", "corrupt", st.Corrupt, "wrong_job", st.WrongJob, "wrong_generation", st.WrongGeneration,
			"stale", st.Stale, "unexpected", st.Unexpected)
	}
}
