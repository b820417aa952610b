// Package verify checks a job by what it left: its ledger, its checkpoints and its result, without trusting whoever
// computed or stored them; and it computes steps again.
package verify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/artifact"
	"lockstep/internal/ckpt"
	"lockstep/internal/export"
	"lockstep/internal/ledger"
	"lockstep/internal/spec"
)

// ErrNoLedger marks a job without records to check.
var ErrNoLedger = errors.New("the job has no ledger")

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // what was found
}

// Store gives the training states in committed checkpoints, and the weights that jobs began with.
type Store interface {
	State(ctx context.Context, k *lockstepv1.Checkpoint) (*ckpt.State, error)
	Weights(ctx context.Context, k *lockstepv1.Checkpoint) ([]export.Tensor, error)
}

// Job is a job under verification.
type Job struct {
	job      *lockstepv1.Job
	spec     *spec.Job
	ledger   *lockstepv1.Ledger
	chain    []ledger.Record
	genesis  [32]byte
	perEpoch int
	store    Store
}

// Open prepares the verification of a job with its ledger, which was read after the job.
func Open(j *lockstepv1.Job, l *lockstepv1.Ledger, store Store) (*Job, error) {
	s, err := spec.FromCanonical(j.Spec)
	if err != nil {
		return nil, fmt.Errorf("specification of job %s: %w", j.Id, err)
	}
	switch {
	case s.Spec.Parallelism.Reduction == "float32":
		return nil, fmt.Errorf("verify job %s: %w: with reduction float32 its bits depend on the workers", j.Id, ErrNoLedger)
	case len(l.GetChain()) == 0:
		return nil, fmt.Errorf("verify job %s: %w yet", j.Id, ErrNoLedger)
	}
	v := &Job{job: j, spec: s, ledger: l, store: store}
	for _, r := range l.Chain {
		e := ledger.Record{Step: r.Step, Epoch: r.Epoch, Loss: r.Loss}
		copy(e.Digest[:], r.Digest)
		copy(e.Prev[:], r.Prev)
		v.chain = append(v.chain, e)
	}
	var fingerprint [32]byte
	copy(fingerprint[:], l.Fingerprint)
	v.genesis = ledger.Genesis(s.Hash(), fingerprint, int(l.Records))
	if plan := v.plan(); plan.Validate() == nil {
		v.perEpoch = plan.StepsPerEpoch()
	}
	return v, nil
}

// Checks looks at all that can be checked without computing a step.
func (v *Job) Checks(ctx context.Context) []Check {
	checks := []Check{check("specification", v.specification), check("chain", v.links), check("order", v.order), check("records", v.records)}
	for _, k := range v.job.Checkpoints {
		checks = append(checks, v.Checkpoint(ctx, k))
	}
	if v.job.State == lockstepv1.JobState_JOB_STATE_SUCCEEDED {
		checks = append(checks, check("result", func() (string, error) { return v.result(ctx) }))
	}
	return checks
}

// Checkpoint looks at one checkpoint.
func (v *Job) Checkpoint(ctx context.Context, k *lockstepv1.Checkpoint) Check {
	return check("checkpoint "+k.Id, func() (string, error) { return v.checkpoint(ctx, k) })
}

func check(name string, look func() (string, error)) Check {
	detail, err := look()
	if err != nil {
		return Check{Name: name, Detail: err.Error()}
	}
	return Check{Name: name, OK: true, Detail: detail}
}

// specification: the hash that checkpoints hold is that of the specification.
func (v *Job) specification() (string, error) {
	if h := v.spec.Hash(); string(h[:]) != string(v.job.SpecHash) {
		return "", fmt.Errorf("its hash is %x, the job's record says %x", h, v.job.SpecHash)
	}
	return "its hash is " + short(v.job.SpecHash), nil
}

// links: every record holds the hash of the one before, from the genesis to the head, and is stored under its own.
func (v *Job) links() (string, error) {
	if err := ledger.Check(v.genesis, v.chain); err != nil {
		return "", err
	}
	for i, r := range v.chain {
		if h := r.Hash(); string(h[:]) != string(v.ledger.Chain[i].Hash) {
			return "", fmt.Errorf("the record of step %d is stored under another hash than its own", r.Step)
		}
	}
	if h := ledger.Head(v.genesis, ledger.Upto(v.chain, v.job.LedgerStep)); string(h[:]) != string(v.job.LedgerHead) {
		return "", fmt.Errorf("its head is %s, the job's record says %s", short(h[:]), short(v.job.LedgerHead))
	}
	return fmt.Sprintf("%d records to step %d, head %s", len(v.chain), v.chain[len(v.chain)-1].Step, short(v.job.LedgerHead)), nil
}

// order: there is a record of every K-th step and of the last one, in the epoch it belongs to, and of no other.
func (v *Job) order() (string, error) {
	k := uint64(ledger.Every(v.total()))
	if v.perEpoch == 0 || v.ledger.Every != k {
		return "", fmt.Errorf("a record every %d steps of epochs of %d: want one every %d", v.ledger.Every, v.perEpoch, k)
	}
	last := len(v.chain) - 1
	for i, r := range v.chain {
		ends := i == last && v.job.State == lockstepv1.JobState_JOB_STATE_SUCCEEDED && r.Step == v.job.Progress.GetStep()
		if want := uint64(i+1) * k; r.Step != want && !(ends && r.Step < want) {
			return "", fmt.Errorf("record %d is of step %d, want %d", i+1, r.Step, want)
		}
		if want := (r.Step - 1) / uint64(v.perEpoch); r.Epoch != want {
			return "", fmt.Errorf("the record of step %d is of epoch %d, want %d", r.Step, r.Epoch, want)
		}
	}
	if ended := v.job.Progress.GetStep(); v.job.State == lockstepv1.JobState_JOB_STATE_SUCCEEDED && v.chain[last].Step != ended {
		return "", fmt.Errorf("the last record is of step %d, the job ended at step %d", v.chain[last].Step, ended)
	}
	return fmt.Sprintf("a record every %d steps", k), nil
}

// checkpoint: every byte is what its hash says, its ledger is the job's up to its step, and its parameters are those of
// the record of that step, if there is one.
func (v *Job) checkpoint(ctx context.Context, k *lockstepv1.Checkpoint) (string, error) {
	s, err := v.store.State(ctx, k)
	if err != nil {
		return "", err
	}
	chain := ledger.Upto(v.chain, k.Step)
	switch {
	case s.Step != k.Step:
		return "", fmt.Errorf("it is of step %d, want %d", s.Step, k.Step)
	case s.SpecHash != v.spec.Hash():
		return "", errors.New("it is of another specification")
	case s.LedgerHead != ledger.Head(v.genesis, chain) || string(s.Aux) != string(ledger.Encode(chain)):
		return "", fmt.Errorf("its ledger, with head %s, is not the job's up to step %d", short(s.LedgerHead[:]), k.Step)
	}
	if n := len(chain); n > 0 && chain[n-1].Step == k.Step {
		if digest := paramDigest(s); digest != chain[n-1].Digest {
			return "", fmt.Errorf("its parameters have digest %s, the ledger says %s", short(digest[:]), short(chain[n-1].Digest[:]))
		}
		return fmt.Sprintf("%d chunks, ledger and parameters agree", len(k.Chunks)), nil
	}
	return fmt.Sprintf("%d chunks, ledger agrees", len(k.Chunks)), nil
}

// result: the model in the last checkpoint has the job's digest.
func (v *Job) result(ctx context.Context) (string, error) {
	n := len(v.job.Checkpoints)
	if n == 0 {
		return "", errors.New("there is no checkpoint that holds it")
	}
	s, err := v.store.State(ctx, v.job.Checkpoints[n-1])
	if err != nil {
		return "", err
	}
	digest, err := export.Digest(artifact.Tensors(s))
	if err != nil {
		return "", err
	}
	if digest != v.job.ModelDigest || s.Step != v.job.Progress.GetStep() {
		return "", fmt.Errorf("the model of step %d has digest %s, the job says %s at step %d", s.Step, digest, v.job.ModelDigest, v.job.Progress.GetStep())
	}
	return "the model's digest is " + digest, nil
}

// paramDigest is the ledger's digest of the parameters in a state.
func paramDigest(s *ckpt.State) [32]byte {
	var sums [][32]byte
	for _, t := range s.Tensors {
		if strings.HasPrefix(t.Name, artifact.ParamPrefix) {
			sums = append(sums, ledger.TensorHash(t.Data))
		}
	}
	return ledger.Digest(sums)
}

func short(hash []byte) string { return hex.EncodeToString(hash[:min(8, len(hash))]) }
