package coord

import (
	"fmt"
	"maps"
	"slices"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/shard"
)

// speed is what a worker has measured: micro-batches a second of pure computation.
type speed struct {
	job        string
	generation uint64
	rate       float64
	measured   time.Duration // in that generation
}

// sure reports whether it was measured for long enough.
func (s speed) sure() bool { return s.measured >= measureTime }

const (
	// measureTime is how long every member of a generation must have measured before segments follow from it.
	measureTime = 3 * time.Second
	// worthwhile is how much shorter a step has to become for a change of generation to pay: noise is less.
	worthwhile = 1.25
	// tooSlow is the part of the others' mean speed below which a worker may be left out,
	tooSlow = 0.25
	// tolerable if the step without it is longer by less than this: each step of the ring waits for the slowest.
	tolerable = 1.15

	leaveOutTime = 30 * time.Second // for the first time; doubled each further time
	leaveOutMax  = 16 * time.Minute
)

// clock notes what a worker has measured.
func (l *leader) clock(r *lockstepv1.HeartbeatRequest) {
	if r.Job == "" || !(r.Speed > 0) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := speed{job: r.Job, generation: r.Generation, rate: r.Speed, measured: time.Duration(r.MeasuredSeconds * float64(time.Second))}
	if old := l.speeds[r.Worker]; old.job == now.job && old.sure() && !now.sure() {
		return // the first steps of a generation are slow ones
	}
	l.speeds[r.Worker] = now
}

// speedsOf lists what the workers of a job have measured, sorted by worker.
func (l *leader) speedsOf(job string) []*lockstepv1.Value {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*lockstepv1.Value
	for _, w := range slices.Sorted(maps.Keys(l.speeds)) {
		if s := l.speeds[w]; s.job == job {
			out = append(out, &lockstepv1.Value{Name: w, Value: s.rate})
		}
	}
	return out
}

// balance moves the segments of jobs whose members' speeds have turned out to be others than was thought, where that
// makes a step shorter by enough to pay for the change.
func (p *planner) balance() {
	for _, j := range p.state.Jobs() {
		if j.State != lockstepv1.JobState_JOB_STATE_RUNNING || p.handled[j.Id] || p.view.hold[j.Id] || !p.measured(j) {
			continue
		}
		workers, _ := p.survivors(j)
		now := make([]shard.Range, len(workers))
		for i, m := range j.Generation.Members {
			now[i] = shard.Range{From: int(m.SegmentFrom), To: int(m.SegmentTo)}
		}
		d := p.deal(j, workers)
		if stepTime(now, p.weights(j, workers)) > worthwhile*d.time {
			p.form(j, workers, "segments follow from the members' measured speeds")
		}
	}
}

// measured reports whether all members of a job's generation have measured for long enough.
func (p *planner) measured(j *lockstepv1.Job) bool {
	return !slices.ContainsFunc(j.Generation.Members, func(m *lockstepv1.Member) bool {
		s := p.view.speeds[m.Worker]
		return p.state.Worker(m.Worker) == nil || s.generation != j.Generation.Number || !s.sure()
	})
}

// weights are the speeds of workers on a job. One that has not measured yet counts by its cores, each as fast as those
// of the others are on average. They are all equal where segments are to be even.
func (p *planner) weights(j *lockstepv1.Job, workers []*lockstepv1.Worker) []float64 {
	if j.EvenSegments {
		return slices.Repeat([]float64{1}, len(workers))
	}
	rate, cores := 0.0, 0.0
	for _, w := range workers {
		if s := p.view.speeds[w.Id]; p.counts(j, w.Id) {
			rate, cores = rate+s.rate, cores+float64(max(w.Cores, 1))
		}
	}
	perCore := 1.0
	if cores > 0 {
		perCore = rate / cores
	}
	out := make([]float64, len(workers))
	for i, w := range workers {
		out[i] = perCore * float64(max(w.Cores, 1))
		if s := p.view.speeds[w.Id]; p.counts(j, w.Id) {
			out[i] = s.rate
		}
	}
	return out
}

// counts reports whether what a worker has measured says how fast it is on a job.
func (p *planner) counts(j *lockstepv1.Job, worker string) bool {
	s := p.view.speeds[worker]
	return s.job == j.Id && s.sure() && !p.pardoned(j, worker)
}

// dealt is a way to deal a job's segments.
type dealt struct {
	workers []*lockstepv1.Worker
	ranges  []shard.Range
	time    float64 // of a step, in seconds of computation if speeds are measured
	slow    []string
}

// deal deals segments in proportion to speed, and leaves out workers that are so slow that the others lose next to
// nothing without them, as far as workers.min allows.
func (p *planner) deal(j *lockstepv1.Job, workers []*lockstepv1.Worker) dealt {
	weights := p.weights(j, workers)
	d := dealt{workers: workers, ranges: shard.Assign(int(j.MicroBatches), weights)}
	d.time = stepTime(d.ranges, weights)
	for len(d.workers) > max(1, int(j.WorkersMin)) {
		i := slowest(weights)
		fewer := slices.Delete(slices.Clone(weights), i, i+1)
		ranges := shard.Assign(int(j.MicroBatches), fewer)
		t := stepTime(ranges, fewer)
		if weights[i] >= tooSlow*mean(fewer) || t > tolerable*d.time {
			break
		}
		d.slow = append(d.slow, d.workers[i].Id)
		d.workers = slices.Delete(slices.Clone(d.workers), i, i+1)
		d.ranges, d.time, weights = ranges, t, fewer
	}
	return d
}

// stepTime is how long the members compute for a step: the slowest of them decides.
func stepTime(ranges []shard.Range, weights []float64) float64 {
	t := 0.0
	for i, r := range ranges {
		t = max(t, float64(r.Len())/weights[i])
	}
	return t
}

func slowest(weights []float64) int {
	at := 0
	for i, w := range weights {
		if w < weights[at] {
			at = i
		}
	}
	return at
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// leftOut is a job's list of workers that are left out, those in slow added.
func (p *planner) leftOut(j *lockstepv1.Job, slow []string) []*lockstepv1.LeftOut {
	var out []*lockstepv1.LeftOut
	for _, l := range j.Generation.GetLeftOut() {
		if !slices.Contains(slow, l.Worker) && p.state.Worker(l.Worker) != nil {
			out = append(out, l)
		}
	}
	for _, w := range slow {
		times := findLeftOut(j, w).GetTimes()
		wait := min(leaveOutTime<<min(times, 10), leaveOutMax)
		out = append(out, &lockstepv1.LeftOut{Worker: w, UntilMs: p.view.now.Add(wait).UnixMilli(), Times: times + 1})
	}
	return out
}

func findLeftOut(j *lockstepv1.Job, worker string) *lockstepv1.LeftOut {
	i := slices.IndexFunc(j.Generation.GetLeftOut(), func(l *lockstepv1.LeftOut) bool { return l.Worker == worker })
	if i < 0 {
		return nil
	}
	return j.Generation.LeftOut[i]
}

// tooSlowFor reports whether a worker is left out of a job for now.
func (p *planner) tooSlowFor(j *lockstepv1.Job, worker string) bool {
	return p.view.now.UnixMilli() < findLeftOut(j, worker).GetUntilMs()
}

// pardoned reports whether what a worker measured is out of date: it was left out, and may try again.
func (p *planner) pardoned(j *lockstepv1.Job, worker string) bool {
	l := findLeftOut(j, worker)
	return l != nil && !p.tooSlowFor(j, worker) && p.view.speeds[worker].generation < j.Generation.GetNumber()
}

// slowly says in words who is left out.
func slowly(cause string, slow []string) string {
	for _, w := range slow {
		cause += fmt.Sprintf("; worker %s is left out, being too slow to be waited for", w)
	}
	return cause
}
