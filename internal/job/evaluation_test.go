package job

import (
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestEvaluationsArriveOnceEach: any member may report an evaluation, again or late; its figures are an event once, and
// the job does not go back.
func TestEvaluationsArriveOnceEach(t *testing.T) {
	m, g := ledgerMachine(t)
	arrives := func(step uint64, loss float64) *lockstepv1.Command {
		c := evaluation("j", g, step)
		p := c.GetRecordProgress().Progress
		p.Evaluated, p.Metrics[0].Value = step, loss
		return c
	}
	m.do(arrives(10, 3))
	m.do(arrives(10, 3)) // once more, from another member
	m.do(progress("j", g, 25))
	m.do(arrives(20, 2)) // after the progress of a later step
	m.do(arrives(10, 3)) // much too late
	m.do(arrives(30, 2)) // the same figures, of another step
	events := ""
	for _, e := range m.EventsAfter(0) {
		if e.Type == "lockstep.job.metric" && strings.Contains(string(e.Data), "val_loss") {
			events += string(e.Data) + "\n"
		}
	}
	want := `{"step":10,"epoch":0,"metrics":{"val_loss":3}}
{"step":25,"epoch":0,"metrics":{"train_loss":0.038461538461538464,"val_loss":3}}
{"step":20,"epoch":0,"metrics":{"train_loss":0.038461538461538464,"val_loss":2}}
{"step":30,"epoch":0,"metrics":{"train_loss":0.038461538461538464,"val_loss":2}}
`
	if events != want {
		t.Errorf("events:\n%swant:\n%s", events, want)
	}
	if p := m.Job("j").Progress; p.Step != 30 || p.Evaluated != 30 {
		t.Errorf("the job stands at step %d, evaluated at %d; want 30 and 30", p.Step, p.Evaluated)
	}
}
