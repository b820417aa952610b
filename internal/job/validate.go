package job

import (
	"errors"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// errIncomplete is a command that lacks what it is about.
var errIncomplete = errors.New("request is incomplete")

// mayPark are the states in which a generation may leave its job; unspecified: it trains.
var mayPark = map[lockstepv1.JobState]bool{lockstepv1.JobState_JOB_STATE_UNSPECIFIED: true, pending: true, recovering: true, paused: true}

// Validate reports whether a command is well formed: one that is not must never get into the log, where every replica
// would have to apply it.
func Validate(c *lockstepv1.Command) error {
	ok := true
	switch op := c.Op.(type) {
	case *lockstepv1.Command_SetCoordinator:
		ok = op.SetCoordinator.GetCoordinator().GetId() != ""
	case *lockstepv1.Command_AddWorker:
		ok = op.AddWorker.GetWorker().GetId() != "" && op.AddWorker.Worker.Address != ""
	case *lockstepv1.Command_CreateJob:
		ok = op.CreateJob.GetJob().GetId() != "" && op.CreateJob.Job.MicroBatches > 0
	case *lockstepv1.Command_FormGeneration:
		ok = op.FormGeneration != nil && !hasNil(op.FormGeneration.Members) && !hasNil(op.FormGeneration.LeftOut) &&
			!hasNil(op.FormGeneration.GetDispute().GetClaims()) && mayPark[op.FormGeneration.Park]
	case *lockstepv1.Command_StartGeneration:
		ok = op.StartGeneration.GetStart() != nil
	case *lockstepv1.Command_RecordProgress:
		ok = op.RecordProgress.GetProgress() != nil && !hasNil(op.RecordProgress.Progress.Metrics) && validLedger(op.RecordProgress.Ledger)
	case *lockstepv1.Command_CommitCheckpoint:
		ok = op.CommitCheckpoint.GetCheckpoint().GetId() != ""
	case *lockstepv1.Command_SetAsideCheckpoint:
		ok = op.SetAsideCheckpoint.GetCheckpoint() != ""
	case *lockstepv1.Command_DeleteCheckpoint:
		ok = op.DeleteCheckpoint.GetCheckpoint() != ""
	case *lockstepv1.Command_FinishJob:
		ok = op.FinishJob.GetProgress() != nil && !hasNil(op.FinishJob.Progress.Metrics) && validLedger(op.FinishJob.Ledger)
	case *lockstepv1.Command_SetDataset:
		d := op.SetDataset.GetDataset()
		ok = d.GetName() != "" && len(d.GetRoot()) == 32 && len(d.GetManifest()) > 0
	case *lockstepv1.Command_CreateToken:
		ok = validToken(op.CreateToken.GetToken())
	case nil:
		ok = false
	}
	if !ok {
		return errIncomplete
	}
	return nil
}

// validLedger checks the lengths of hashes and the number of records; what they say is checked by who verifies a job.
func validLedger(l *lockstepv1.Ledger) bool {
	if l == nil {
		return true
	}
	if hasNil(l.Chain) || len(l.Chain) > maxLedger || len(l.Fingerprint) != 32 {
		return false
	}
	for _, r := range l.Chain {
		if len(r.Digest) != 32 || len(r.Prev) != 32 || len(r.Hash) != 32 {
			return false
		}
	}
	return true
}

func hasNil[T any](list []*T) bool {
	for _, v := range list {
		if v == nil {
			return true
		}
	}
	return false
}
