package verify

import (
	"context"
	"errors"
	"fmt"

	"lockstep/internal/ckpt"
	"lockstep/internal/dataset"
	"lockstep/internal/export"
	"lockstep/internal/ledger"
	"lockstep/internal/trainer"
)

// Replay says what to compute again.
type Replay struct {
	From, To uint64 // first and last step, counted from 1
	Workers  int    // that compute it, in this process; the result does not depend on it
	Cores    int    // of each
	Progress func(step uint64)
	Data     dataset.Options // how the data is reached
}

// ErrRange marks steps that the ledger does not reach.
var ErrRange = errors.New("steps are out of range")

// errDiffers ends a replay at the first record that is not the ledger's.
var errDiffers = errors.New("differs")

// Replay computes steps again, from the newest checkpoint before them that can be read, else from the beginning, and
// to the first recorded step at or after To, and compares every record on the way with the ledger's. It reads the
// data that the specification names. An error means that it could not be done, not that something differs.
func (v *Job) Replay(ctx context.Context, r Replay) (Check, error) {
	out := Check{Name: fmt.Sprintf("replay %d..%d", r.From, r.To)}
	end, err := v.end(r)
	if err != nil {
		return out, err
	}
	begin, at := v.before(ctx, r.From)
	initial, err := v.initial(ctx)
	if err != nil {
		return out, err
	}
	i := len(ledger.Upto(v.chain, at))
	compared := 0
	see := func(got ledger.Record) error {
		want := v.chain[i]
		i++
		compared++
		if got != want {
			out.Detail = fmt.Sprintf("at step %d it gives epoch %d, loss %v, parameters %s; the ledger says epoch %d, loss %v, parameters %s",
				got.Step, got.Epoch, got.Loss, short(got.Digest[:]), want.Epoch, want.Loss, short(want.Digest[:]))
			return errDiffers
		}
		return nil
	}
	var fingerprint [32]byte
	copy(fingerprint[:], v.ledger.Fingerprint)
	err = trainer.Replay(ctx, trainer.ReplayConfig{Spec: v.job.Spec, Data: r.Data, Fingerprint: fingerprint, Begin: begin, Initial: initial, To: end, Workers: r.Workers, Cores: r.Cores,
		Record: see, Step: r.Progress})
	if errors.Is(err, errDiffers) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.OK = true
	out.Detail = fmt.Sprintf("steps %d to %d, computed again by %d, give the same %d records", at+1, end, r.Workers, compared)
	return out, nil
}

// initial are the weights that the job began with; nil: by its seed.
func (v *Job) initial(ctx context.Context) ([]export.Tensor, error) {
	if v.job.Initial == nil {
		return nil, nil
	}
	if v.spec.Spec.InitFrom == nil || v.spec.Spec.InitFrom.Digest != v.job.Initial.Id {
		return nil, fmt.Errorf("the weights %s are not those of the specification", v.job.Initial.Id)
	}
	return v.store.Weights(ctx, v.job.Initial)
}

// end is the first recorded step at or after the last one wanted.
func (v *Job) end(r Replay) (uint64, error) {
	last := v.chain[len(v.chain)-1].Step
	if r.From < 1 || r.From > r.To || r.To > last {
		return 0, fmt.Errorf("replay %d..%d: %w: want 1 <= FROM <= TO <= %d", r.From, r.To, ErrRange, last)
	}
	return v.chain[len(ledger.Upto(v.chain, r.To-1))].Step, nil
}

// before is the newest checkpoint that can be read of a step before the given one, and its step; nil and 0 for the
// initial weights.
func (v *Job) before(ctx context.Context, step uint64) (*ckpt.State, uint64) {
	for i := len(v.job.Checkpoints) - 1; i >= 0; i-- {
		if k := v.job.Checkpoints[i]; k.Step < step {
			if s, err := v.store.State(ctx, k); err == nil && s.Step == k.Step {
				return s, k.Step
			}
		}
	}
	return nil, 0
}
