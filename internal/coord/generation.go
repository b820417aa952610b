package coord

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// joining gathers where the members of a forming generation stand.
type joining struct {
	generation uint64
	reports    map[string]*lockstepv1.JoinRequest // by worker
}

// join records a member's report. Reports of an older generation are refused, those of a newer one begin a new list.
func (l *leader) join(r *lockstepv1.JoinRequest) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.joins[r.Job]
	switch {
	case g == nil || g.generation < r.Generation:
		g = &joining{generation: r.Generation, reports: map[string]*lockstepv1.JoinRequest{}}
		l.joins[r.Job] = g
	case g.generation > r.Generation:
		return status.Errorf(codes.Aborted, "generation %d of job %s is over", r.Generation, r.Job)
	}
	g.reports[r.Worker] = r
	return nil
}

// startGenerations lets those run whose members have all reported.
func (l *leader) startGenerations() {
	var forming []*lockstepv1.Job
	l.fsm.read(func(s *job.State) {
		for _, j := range s.Jobs() {
			if j.State == lockstepv1.JobState_JOB_STATE_RUNNING && j.Generation.Phase == lockstepv1.GenerationPhase_GENERATION_PHASE_FORMING {
				forming = append(forming, j)
			}
		}
	})
	for _, j := range forming {
		if c := l.startCommand(j); c != nil {
			if _, err := l.propose(l.ctx, c); err != nil {
				l.log.Info("generation was not started", "job", j.Id, "error", err)
			}
		}
	}
}

// startCommand starts a generation if all of its members have reported, or fails the job if they do not agree on its
// data.
func (l *leader) startCommand(j *lockstepv1.Job) *lockstepv1.Command {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.joins[j.Id]
	if g == nil || g.generation != j.Generation.Number {
		return nil
	}
	start := &lockstepv1.Start{}
	first := g.reports[j.Generation.Members[0].Worker]
	for _, m := range j.Generation.Members {
		r := g.reports[m.Worker]
		if r == nil {
			return nil
		}
		if !bytes.Equal(r.Fingerprint, first.Fingerprint) {
			reason := fmt.Sprintf("workers %s and %s read different data for the same specification: compare the files of the dataset on both", first.Worker, r.Worker)
			return &lockstepv1.Command{Op: &lockstepv1.Command_FailJob{FailJob: &lockstepv1.FailJob{Job: j.Id, Generation: g.generation, Reason: reason}}}
		}
		if r.HasState && (start.Source == "" || r.Position > start.Position) {
			start.Source, start.Position = r.Worker, r.Position
		}
	}
	for _, m := range j.Generation.Members {
		if r := g.reports[m.Worker]; start.Source == "" || r.HasState && r.Position == start.Position {
			start.Holders = append(start.Holders, m.Worker)
		}
	}
	if n := len(j.Checkpoints); start.Source == "" && n > 0 {
		start.Checkpoint = j.Checkpoints[n-1].Id
	}
	return &lockstepv1.Command{Op: &lockstepv1.Command_StartGeneration{StartGeneration: &lockstepv1.StartGeneration{
		Job: j.Id, Generation: g.generation, Start: start}}}
}

// breaker slows the generations of a job whose ring breaks again and again without anyone being lost.
type breaker struct {
	rebuild rebuild
	count   int
	last    time.Time
	until   time.Time
}

const (
	breakerBase   = 20 * time.Millisecond
	breakerMax    = 5 * time.Second
	breakerMemory = 10 * time.Second // without a break for this long, the count begins anew
)

// trip notes that the ring of a generation broke, and reports whether that was news.
func (b *breaker) trip(now time.Time, r rebuild) bool {
	if r.generation == b.rebuild.generation && r.dispute != nil && b.rebuild.dispute == nil {
		b.rebuild = r
		return true
	}
	if r.generation <= b.rebuild.generation {
		return false // the first cause counts, not what followed from it
	}
	if now.Sub(b.last) > breakerMemory {
		b.count = 0
	}
	b.rebuild, b.last = r, now
	b.until = now.Add(min(breakerBase<<min(b.count, 20), breakerMax))
	b.count++
	return true
}

func (b *breaker) holds(now time.Time) bool { return now.Before(b.until) }

// rebuilds lists the jobs whose ring broke. REQUIRES: l.mu.
func (l *leader) rebuilds() map[string]rebuild {
	out := map[string]rebuild{}
	for id, b := range l.faults {
		out[id] = b.rebuild
	}
	return out
}

// ringBroke notes a fault that no lost worker explains.
func (l *leader) ringBroke(job string, generation uint64, cause string) {
	l.rebuildJob(job, rebuild{generation: generation, cause: cause})
}

// rebuildJob has a job's next generation formed, and reports whether that was news.
func (l *leader) rebuildJob(job string, r rebuild) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.faults[job]
	if b == nil {
		b = &breaker{}
		l.faults[job] = b
	}
	return b.trip(time.Now(), r)
}
