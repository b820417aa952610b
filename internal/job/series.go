package job

import (
	"slices"
	"strings"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// maxPoints bounds the points of one job's series: enough for a curve on a screen.
const maxPoints = 600

// Series returns the figures of a job over its steps, or nil.
func (s *State) Series(job string) *lockstepv1.Series { return s.series[job] }

// addPoint appends what a report measured to a job's series.
func (a *applying) addPoint(j *lockstepv1.Job, report *lockstepv1.Progress) {
	if len(report.Metrics) == 0 && report.TimedSeconds <= 0 {
		return
	}
	p := &lockstepv1.Point{Step: report.Step, Epoch: report.Epoch, TimeMs: a.now, SamplesPerSecond: rate(report), Metrics: report.Metrics, Phases: report.Phases}
	points := slices.Clone(a.series[j.Id].GetPoints())
	for len(points) > 0 && points[len(points)-1].Step > p.Step { // those steps are done again
		points = points[:len(points)-1]
	}
	if points = append(points, p); len(points) > maxPoints {
		points = thin(points)
	}
	a.series[j.Id] = &lockstepv1.Series{Job: j.Id, Points: points}
}

// thin drops every second point, but those of evaluations only if nothing else helps. The newest stays.
func thin(points []*lockstepv1.Point) []*lockstepv1.Point {
	second := func(keep func(p *lockstepv1.Point) bool) (out []*lockstepv1.Point) {
		for i, p := range points {
			if (len(points)-1-i)%2 == 0 || keep(p) {
				out = append(out, p)
			}
		}
		return out
	}
	if out := second(evaluated); len(out) <= maxPoints*3/4 {
		return out
	}
	return second(func(*lockstepv1.Point) bool { return false })
}

// evaluated tells whether a point has figures of an evaluation.
func evaluated(p *lockstepv1.Point) bool {
	return slices.ContainsFunc(p.Metrics, func(v *lockstepv1.Value) bool {
		return strings.HasPrefix(v.Name, "val_") || strings.HasPrefix(v.Name, "test_")
	})
}

// PointView is a point of a job's series as users read it.
type PointView struct {
	Step             uint64             `json:"step"`
	Epoch            uint32             `json:"epoch"`
	TimeMs           int64              `json:"time_ms"` // Unix time
	SamplesPerSecond float64            `json:"samples_per_second"`
	Metrics          map[string]float64 `json:"metrics"`
	Phases           *PhasesView        `json:"phases,omitempty"` // mean of the steps since the last point; none: not known
}

// SeriesViewOf shows a series, which may be nil.
func SeriesViewOf(s *lockstepv1.Series) []PointView {
	out := []PointView{}
	for _, p := range s.GetPoints() {
		out = append(out, PointView{Step: p.Step, Epoch: p.Epoch, TimeMs: p.TimeMs, SamplesPerSecond: p.SamplesPerSecond, Metrics: valueMap(p.Metrics), Phases: phasesViewOf(p.Phases)})
	}
	return out
}
