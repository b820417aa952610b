package job

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// link is the record of a step, after that of another.
func link(step, prev byte) *lockstepv1.LedgerRecord {
	hash := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	return &lockstepv1.LedgerRecord{Step: uint64(step), Digest: hash(100 + step), Prev: hash(prev), Hash: hash(step)}
}

// report is progress with ledger records.
func report(job string, g, step uint64, chain ...*lockstepv1.LedgerRecord) *lockstepv1.Command {
	c := progress(job, g, step)
	c.GetRecordProgress().Ledger = &lockstepv1.Ledger{Job: job, Every: 16, Records: 100, Fingerprint: make([]byte, 32), Chain: chain}
	return c
}

func ledgerMachine(t *testing.T) (*machine, uint64) {
	t.Helper()
	m := newMachine()
	m.do(addWorker("a"))
	m.do(createJob("j"))
	g := m.do(form("j", 0, member("a", 0, 4))).Index
	m.do(start("j", g))
	return m, g
}

func TestLedgerGrows(t *testing.T) {
	m, g := ledgerMachine(t)
	m.do(report("j", g, 16, link(16, 0)))
	m.do(report("j", g, 16, link(16, 0)))                // a retry
	m.do(report("j", g, 48, link(48, 32)))               // what is between did not arrive: left for the next report
	m.do(report("j", g, 50, link(32, 16), link(48, 32))) // which has it all
	wantState(t, m, "j", running)
	if l := m.Ledger("j"); len(l.Chain) != 3 || l.Records != 100 || m.Job("j").LedgerStep != 48 || m.Job("j").LedgerHead[0] != 48 {
		t.Fatalf("ledger %v, step %d", l, m.Job("j").LedgerStep)
	}
	var snapshot bytes.Buffer
	if err := m.WriteSnapshot(&snapshot); err != nil {
		t.Fatal(err)
	}
	back, err := ReadSnapshot(&snapshot)
	if err != nil || !proto.Equal(back.Ledger("j"), m.Ledger("j")) {
		t.Fatalf("ledger after a snapshot: %v, %v", back.Ledger("j"), err)
	}
}

// TestLedgerDoesNotFork: a step that was computed again, to another result, ends the job.
func TestLedgerDoesNotFork(t *testing.T) {
	m, g := ledgerMachine(t)
	m.do(report("j", g, 32, link(16, 0), link(32, 16)))
	other := link(16, 0)
	other.Digest[0] ^= 1
	m.do(report("j", g, 40, other))
	wantState(t, m, "j", failed)
	if reason := m.Job("j").Reason; !strings.Contains(reason, "step 16 was computed twice") {
		t.Errorf("reason %q", reason)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	m, g := ledgerMachine(t)
	prev := make([]byte, 32)
	for i := range 2 * maxLedger {
		r := link(0, 0)
		r.Step, r.Prev, r.Hash = uint64(i+1), prev, bytes.Clone(prev)
		r.Hash[0], r.Hash[1] = byte(i), byte(i>>8)
		prev = r.Hash
		m.do(report("j", g, uint64(i), r))
	}
	if n := len(m.Ledger("j").Chain); n != maxLedger {
		t.Errorf("%d records", n)
	}
}

func TestMalformedLedgerIsRefused(t *testing.T) {
	short := link(1, 0)
	short.Digest = short.Digest[1:]
	for name, c := range map[string]*lockstepv1.Command{"digest": report("j", 1, 1, short), "nothing": report("j", 1, 1, nil)} {
		if Validate(c) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := Validate(report("j", 1, 1, link(1, 0))); err != nil {
		t.Error(err)
	}
}
