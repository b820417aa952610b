package trainer

import (
	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ledger"
)

// recorded reports whether the ledger has a record of the step just made. With reduction float32 it has none: the bits
// depend on who computed them.
func (t *task) recorded(st *state) bool {
	return st.step() > 0 && t.spec.Parallelism.Reduction != "float32" && (st.step()%ledger.Every(t.total) == 0 || t.finished(st))
}

// enter records the step just made in the ledger, if it is one of those and not there yet.
func (t *task) enter(st *state) {
	n := len(st.chain)
	if !t.recorded(st) || n > 0 && st.chain[n-1].Step >= uint64(st.step()) {
		return
	}
	r := ledger.Record{Step: uint64(st.step()), Epoch: uint64((st.step() - 1) / t.perEpoch), Loss: st.loss,
		Digest: t.paramDigest(st.params), Prev: ledger.Head(t.genesis, st.chain)}
	t.mu.Lock()
	defer t.mu.Unlock()
	st.chain = append(st.chain, r)
}

// paramDigest is the ledger's digest of parameters.
func (t *task) paramDigest(params []float32) [32]byte {
	sums := make([][32]byte, len(t.params))
	t.spread(len(t.params), func(i int) {
		p := t.params[i]
		sums[i] = ledger.TensorHash(params[p.Off : p.Off+p.Len])
	})
	return ledger.Digest(sums)
}

// ledger is what to report of the job's ledger: what is new in this session, known or not, since steps that are made
// again after a loss of all workers have to give the same; and what sessions before did not deliver.
func (r *reporter) ledger() *lockstepv1.Ledger {
	j, _ := r.s.latest()
	r.mu.Lock()
	defer r.mu.Unlock()
	t, after := r.s.task, r.told
	if after == 0 {
		after = min(r.since, j.LedgerStep)
	}
	out := &lockstepv1.Ledger{Job: r.s.jobID, Every: uint64(ledger.Every(t.total)), Records: uint64(t.info.Train), Fingerprint: t.info.Fingerprint[:]}
	for _, e := range r.chain[len(ledger.Upto(r.chain, after)):] {
		hash := e.Hash()
		out.Chain = append(out.Chain, &lockstepv1.LedgerRecord{Step: e.Step, Epoch: e.Epoch, Loss: e.Loss, Digest: e.Digest[:], Prev: e.Prev[:], Hash: hash[:]})
	}
	return out
}
