package job

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// maxLedger bounds the records of one job's ledger. The rule by which they are made gives a few more than 1024.
const maxLedger = 1100

// Ledger returns the step ledger of a job as far as it was reported, or nil.
func (s *State) Ledger(job string) *lockstepv1.Ledger { return s.ledgers[job] }

// extendLedger appends what is new in a report to a job's ledger. It returns why the report cannot be true, "" if it
// can: two computations of the same step differ. Records that do not follow what is known are left for the next
// report, which has them all.
func (a *applying) extendLedger(j *lockstepv1.Job, report *lockstepv1.Ledger) (fork string) {
	if report == nil {
		return ""
	}
	old := a.ledgers[j.Id]
	if old == nil {
		old = &lockstepv1.Ledger{Job: j.Id, Every: report.Every, Records: report.Records, Fingerprint: report.Fingerprint}
	}
	chain := slices.Clone(old.Chain)
	for _, r := range report.Chain {
		if r.Step <= j.LedgerStep {
			if known := recordOf(chain, r.Step); known == nil || !proto.Equal(known, r) {
				return fmt.Sprintf("step %d was computed twice, to different results: a worker or its data is not to be trusted; "+
					"\"lockstep job verify --replay\" tells which of its steps can be trusted", r.Step)
			}
			continue
		}
		if len(chain) >= maxLedger || len(chain) > 0 && string(r.Prev) != string(j.LedgerHead) {
			break
		}
		chain = append(chain, proto.CloneOf(r))
		j.LedgerStep, j.LedgerHead = r.Step, r.Hash
	}
	a.ledgers[j.Id] = &lockstepv1.Ledger{Job: j.Id, Every: old.Every, Records: old.Records, Fingerprint: old.Fingerprint, Chain: chain}
	return ""
}

func recordOf(chain []*lockstepv1.LedgerRecord, step uint64) *lockstepv1.LedgerRecord {
	i, ok := slices.BinarySearchFunc(chain, step, func(r *lockstepv1.LedgerRecord, step uint64) int {
		switch {
		case r.Step < step:
			return -1
		case r.Step > step:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return chain[i]
}
