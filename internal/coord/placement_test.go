package coord

import (
	"fmt"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestPlacement: what is told of a job is what happens once it is there, and telling changes nothing.
func TestPlacement(t *testing.T) {
	for name, c := range map[string]struct {
		workers     int
		others      uint32 // workers that another job may have; 0: there is none
		priority    int32
		least, most uint32
		want        string
	}{
		"free workers":        {3, 0, 0, 1, 8, "w0 0-3, w1 3-6, w2 6-8"},
		"no workers":          {0, 0, 0, 1, 8, "1: waits for 1 worker: there are none"},
		"too few":             {2, 0, 0, 5, 8, "1: waits for 5 workers: there are 2"},
		"an elastic job":      {3, 8, 0, 2, 8, "w1 0-4, w2 4-8; a: 2 workers given to other jobs"},
		"of higher priority":  {2, 2, 5, 2, 2, "1: waits for 2 workers, which other jobs are about to give away; a: makes way for job new of priority 5"},
		"those that are left": {3, 1, 0, 2, 8, "w1 0-4, w2 4-8"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range c.workers {
				w.add(fmt.Sprint("w", i))
			}
			if c.others > 0 {
				w.submit("a", 1, c.others)
			}
			if c.others > 0 { // otherwise the workers have just come
				w.settle(view{})
			}
			p, err := place(w.Clone(), view{now: w.now}, &lockstepv1.Job{Id: "new", WorkersMin: c.least, WorkersMax: c.most, MicroBatches: 8, Priority: c.priority})
			if err != nil {
				t.Fatal(err)
			}
			if got := placementText(p); !strings.HasPrefix(got, c.want) || int(p.UsableWorkers) != c.workers {
				t.Errorf("%s, %d workers\nwant %s", got, p.UsableWorkers, c.want)
			}
			if w.Job("new") != nil {
				t.Error("the job is there now")
			}
		})
	}
}

func placementText(p *lockstepv1.Placement) string {
	var parts []string
	for _, m := range p.Members {
		parts = append(parts, fmt.Sprintf("%s %d-%d", m.Worker, m.SegmentFrom, m.SegmentTo))
	}
	out := strings.Join(parts, ", ")
	if len(p.Members) == 0 {
		out = fmt.Sprintf("%d: %s", p.QueuePosition, p.Reason)
	}
	for _, o := range p.Others {
		out += "; " + o.Job + ": " + o.Cause
	}
	return out
}
