package job

import (
	"bytes"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// evict removes a worker and quarantines its address for some seconds.
func evict(id string, seconds int64) *lockstepv1.Command {
	c := removeWorker(id)
	c.GetRemoveWorker().Reason, c.GetRemoveWorker().QuarantineMs = "wrong", seconds*1000
	return c
}

// TestQuarantine: it is of an address, survives a snapshot, and ends.
func TestQuarantine(t *testing.T) {
	m := newMachine()
	m.do(addWorker("a"))
	m.do(createJob("j"))
	m.do(form("j", 0, member("a", 0, 4)))
	m.do(evict("a", 5)) // at second 4
	if e := m.EventsAfter(0); !strings.Contains(string(e[len(e)-2].Data), "worker a at a:1 is evicted, and its address quarantined for 5s: wrong") {
		t.Errorf("events %v", e)
	}
	again := addWorker("a2")
	again.GetAddWorker().Worker.Address = "a:1"
	m.do(again)
	var b bytes.Buffer
	if err := m.WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.State, err = ReadSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	if w := m.Worker("a2"); w.QuarantinedUntilMs != 9000 || m.Quarantine("a:1").GetReason() != "wrong" {
		t.Errorf("worker %v, quarantine %v", w, m.Quarantine("a:1"))
	}
	m.do(addWorker("b"))
	m.next = 10
	again.GetAddWorker().Worker.Id = "a3"
	m.do(again)
	m.do(removeWorker("b"))
	if w := m.Worker("a3"); w.QuarantinedUntilMs != 0 || m.Quarantine("a:1") != nil {
		t.Errorf("after its end: worker %v, quarantine %v", w, m.Quarantine("a:1"))
	}
}
