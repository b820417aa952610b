package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/console"
	"lockstep/internal/job"
)

// scene is a moment of a cluster, as top shows it.
type scene struct {
	status  *lockstepv1.ClusterStatus
	jobs    []*lockstepv1.Job
	workers []*lockstepv1.WorkerStatus
	series  map[string]*lockstepv1.Series // by job
}

const (
	topJobs    = 12
	curveWidth = 24
)

// newest picks the jobs to show: those that have not ended first, then the newest.
func newest(jobs []*lockstepv1.Job) []*lockstepv1.Job {
	out := slices.Clone(jobs)
	slices.Reverse(out)
	rank := func(j *lockstepv1.Job) int {
		if job.Ended(j.State) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(a, b *lockstepv1.Job) int { return cmp.Compare(rank(a), rank(b)) })
	return out[:min(len(out), topJobs)]
}

// lines writes the scene.
func (s *scene) lines(t console.Terminal, now time.Time) ([]string, error) {
	reachable := 0
	for _, c := range s.status.Coordinators {
		if c.Reachable {
			reachable++
		}
	}
	leader := s.status.Leader
	if leader == "" {
		leader = t.Bad("none")
	}
	out := []string{
		fmt.Sprintf("lockstep   leader %s, term %d   coordinators %d of %d   workers %d   jobs %d running, %d waiting   %s   q quits",
			leader, s.status.Term, reachable, len(s.status.Coordinators), len(s.workers), s.status.JobsRunning, s.status.JobsPending, now.Format(time.TimeOnly)), ""}
	for _, part := range []func(console.Terminal) ([]string, error){s.jobLines, s.ringLines, s.workerLines} {
		lines, err := part(t)
		if err != nil {
			return nil, err
		}
		out = append(out, lines...)
	}
	return out, nil
}

func (s *scene) jobLines(t console.Terminal) ([]string, error) {
	if len(s.jobs) == 0 {
		return []string{"There are no jobs yet. Submit one with \"lockstep job submit FILE\"."}, nil
	}
	g := console.Grid{Columns: []console.Column{{Name: "JOB"}, {Name: "STATE", Style: t.State}, {Name: "EPOCH"}, {Name: "STEP"}, {Name: "LOSS"}, {Name: "ACCURACY"},
		{Name: "SAMPLES/S"}, {Name: "WORKERS"}, {Name: "LOSS OVER STEPS"}}}
	for _, j := range s.jobs {
		d := job.DetailOf(j)
		loss, accuracy := "", ""
		if v, ok := first(j.Progress.GetMetrics(), []string{"train_loss"}); ok {
			loss = fmt.Sprintf("%.4g", v)
		}
		if v, ok := first(j.Progress.GetMetrics(), []string{"val_accuracy", "test_accuracy", "train_accuracy"}); ok {
			accuracy = fmt.Sprintf("%.4f", v)
		}
		g.Add(d.ID, d.State, progress(uint64(d.Epoch), uint64(d.TotalEpochs)), progress(d.Step, d.TotalSteps), loss, accuracy,
			fmt.Sprintf("%.0f", d.SamplesPerSecond), fmt.Sprint(d.Workers), console.Sparkline(s.losses(j.Id), curveWidth))
	}
	return gridLines(g)
}

// losses are a job's training losses over its steps.
func (s *scene) losses(id string) []float64 {
	var out []float64
	for _, p := range s.series[id].GetPoints() {
		if v, ok := first(p.Metrics, []string{"train_loss"}); ok {
			out = append(out, v)
		}
	}
	return out
}

// ringLines shows who is next to whom in the jobs that run, with their segments.
func (s *scene) ringLines(console.Terminal) ([]string, error) {
	out := []string{""}
	for _, j := range s.jobs {
		g := j.GetGeneration()
		if j.State != lockstepv1.JobState_JOB_STATE_RUNNING || len(g.GetMembers()) == 0 {
			continue
		}
		var ring []string
		for _, m := range g.Members {
			ring = append(ring, fmt.Sprintf("%s [%d-%d]", m.Worker, m.SegmentFrom, m.SegmentTo-1))
		}
		out = append(out, fmt.Sprintf("ring of %s, generation %d: %s → %s", j.Id, g.Number, strings.Join(ring, " → "), g.Members[0].Worker))
	}
	if len(out) == 1 {
		return nil, nil
	}
	return out, nil
}

func (s *scene) workerLines(t console.Terminal) ([]string, error) {
	g := console.Grid{Columns: []console.Column{{Name: "WORKER"}, {Name: "ADDRESS"}, {Name: "CORES"}, {Name: "JOB"}, {Name: "SEGMENTS"}, {Name: "SPEED"}, {Name: "STATE", Style: t.State}}}
	for _, w := range s.workers {
		v := job.WorkerViewOf(w)
		g.Add(v.ID, v.Address, fmt.Sprint(v.Cores), v.Job, fmt.Sprint(v.Segments), speed(v.Speed), v.State)
	}
	lines, err := gridLines(g)
	return append([]string{""}, lines...), err
}

func gridLines(g console.Grid) ([]string, error) {
	var b strings.Builder
	err := g.Write(&b, false)
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n"), err
}
