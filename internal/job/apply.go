package job

import (
	"fmt"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// Apply executes the command at a raft index and returns its result. A command that cannot be executed is refused in
// the result and changes nothing. An unknown command is a panic: a replica that went on would differ from the others.
func (s *State) Apply(index uint64, c *lockstepv1.Command) *lockstepv1.Result {
	s.index = index
	if r := s.requests[c.RequestId]; c.RequestId != "" && r != nil {
		return r
	}
	a := &applying{State: s, now: c.NowMs, result: &lockstepv1.Result{Index: index}}
	a.dispatch(c)
	if c.RequestId != "" {
		s.remember(c.RequestId, a.result)
	}
	return a.result
}

// applying is one command on its way into the state.
type applying struct {
	*State
	now    int64
	result *lockstepv1.Result
}

func (a *applying) dispatch(c *lockstepv1.Command) {
	switch op := c.Op.(type) {
	case *lockstepv1.Command_SetCoordinator:
		a.coordinators[op.SetCoordinator.Coordinator.Id] = op.SetCoordinator.Coordinator
	case *lockstepv1.Command_Elect:
		a.elect(op.Elect)
	case *lockstepv1.Command_AddWorker:
		a.addWorker(op.AddWorker)
	case *lockstepv1.Command_RemoveWorker:
		a.removeWorker(op.RemoveWorker)
	case *lockstepv1.Command_CreateJob:
		a.createJob(op.CreateJob)
	case *lockstepv1.Command_CancelJob:
		a.cancelJob(op.CancelJob)
	case *lockstepv1.Command_FormGeneration:
		a.formGeneration(op.FormGeneration)
	case *lockstepv1.Command_StartGeneration:
		a.startGeneration(op.StartGeneration)
	case *lockstepv1.Command_SuspendJob:
		a.suspendJob(op.SuspendJob)
	case *lockstepv1.Command_RecordProgress:
		a.recordProgress(op.RecordProgress)
	case *lockstepv1.Command_CommitCheckpoint:
		a.commitCheckpoint(op.CommitCheckpoint)
	case *lockstepv1.Command_SetAsideCheckpoint:
		a.setAsideCheckpoint(op.SetAsideCheckpoint)
	case *lockstepv1.Command_DeleteCheckpoint:
		a.deleteCheckpoint(op.DeleteCheckpoint)
	case *lockstepv1.Command_DeleteJob:
		a.deleteJob(op.DeleteJob)
	case *lockstepv1.Command_FinishJob:
		a.finishJob(op.FinishJob)
	case *lockstepv1.Command_FailJob:
		a.failJob(op.FailJob)
	case *lockstepv1.Command_RaiseAlert:
		a.raiseAlert(op.RaiseAlert)
	case *lockstepv1.Command_AckEvents:
		a.ackEvents(op.AckEvents)
	case *lockstepv1.Command_PauseJob:
		a.pauseJob(op.PauseJob)
	case *lockstepv1.Command_ResumeJob:
		a.resumeJob(op.ResumeJob)
	case *lockstepv1.Command_ScaleJob:
		a.scaleJob(op.ScaleJob)
	case *lockstepv1.Command_DrainWorker:
		a.drainWorker(op.DrainWorker)
	case *lockstepv1.Command_ExplainWait:
		a.explainWait(op.ExplainWait)
	case *lockstepv1.Command_SetDataset:
		a.setDataset(op.SetDataset)
	case *lockstepv1.Command_DeleteDataset:
		a.deleteDataset(op.DeleteDataset)
	case *lockstepv1.Command_CreateToken:
		a.createToken(op.CreateToken)
	case *lockstepv1.Command_RevokeToken:
		a.revokeToken(op.RevokeToken)
	default:
		panic(fmt.Sprintf("job: unknown command %T at index %d: this replica is older than its leader", op, a.index))
	}
}

// refuse makes the command's result a refusal.
func (a *applying) refuse(why lockstepv1.Refusal, format string, args ...any) {
	a.result.Refusal = why
	a.result.Message = fmt.Sprintf(format, args...)
}

// remember keeps a request's result for retries, and forgets the oldest.
func (s *State) remember(id string, r *lockstepv1.Result) {
	s.requests[id] = r
	s.requestOrder = append(s.requestOrder, id)
	if len(s.requestOrder) > maxRequests {
		delete(s.requests, s.requestOrder[0])
		s.requestOrder = s.requestOrder[1:]
	}
}

func (a *applying) elect(c *lockstepv1.Elect) {
	a.emit("", "lockstep.v1.cluster.leader", "lockstep.cluster.leader", leaderData{Coordinator: c.Coordinator, Term: c.Term})
}
