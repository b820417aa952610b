package coord

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
	"lockstep/internal/spec"
)

// PlaceJob asks the scheduler what it would do with a job, on a copy of the state.
func (s *jobsServer) PlaceJob(_ context.Context, r *lockstepv1.PlaceJobRequest) (*lockstepv1.Placement, error) {
	parsed, err := spec.FromCanonical(r.Spec)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "specification: %v", err)
	}
	if err := s.readable(parsed); err != nil {
		return nil, err
	}
	l := s.lead.Load()
	if l == nil {
		return nil, status.Errorf(codes.Unavailable, "coordinator %s does not lead (any more)", s.cfg.ID)
	}
	v := l.view()
	var state *job.State
	s.fsm.read(func(st *job.State) { state = st.Clone() })
	j := newJob(parsed)
	j.Id = j.Name // it gets no other
	return place(state, v, j)
}

// place adds a job to a state, which is the caller's no more, and tells what the scheduler then does: with workers that have
// just come, whom it would let gather first.
func place(state *job.State, v view, j *lockstepv1.Job) (*lockstepv1.Placement, error) {
	v.now = v.now.Add(gatherWindow)
	before := changes(schedule(state, v))
	c := &lockstepv1.Command{NowMs: v.now.UnixMilli(), Op: &lockstepv1.Command_CreateJob{CreateJob: &lockstepv1.CreateJob{Job: j}}}
	if res := state.Apply(state.Index()+1, c); res.Refusal != lockstepv1.Refusal_REFUSAL_NONE {
		return nil, status.Error(codes.FailedPrecondition, res.Message)
	}
	out := &lockstepv1.Placement{}
	for _, w := range state.Workers() {
		if (&planner{view: v}).fit(w) {
			out.UsableWorkers++
		}
	}
	for _, c := range schedule(state, v) {
		if f := c.GetFormGeneration(); f != nil && f.Job == j.Id {
			out.Members = f.Members
		}
		if w := c.GetExplainWait(); w != nil && w.Job == j.Id {
			out.Reason, out.QueuePosition = w.Reason, w.QueuePosition
		}
		if id, cause := change(c); id != "" && id != j.Id && before[id] != cause {
			out.Others = append(out.Others, &lockstepv1.JobChange{Job: id, Cause: cause})
		}
	}
	return out, nil
}

// change is the job whose membership a command changes, and why; "" if it changes none.
func change(c *lockstepv1.Command) (id, cause string) {
	if f := c.GetFormGeneration(); f != nil {
		return f.Job, f.Cause
	}
	return c.GetSuspendJob().GetJob(), c.GetSuspendJob().GetReason()
}

func changes(cmds []*lockstepv1.Command) map[string]string {
	out := map[string]string{}
	for _, c := range cmds {
		if id, cause := change(c); id != "" {
			out[id] = cause
		}
	}
	return out
}

// newJob is a job as it begins.
func newJob(parsed *spec.Job) *lockstepv1.Job {
	hash, t := parsed.Hash(), &parsed.Spec
	return &lockstepv1.Job{
		Id: newID(parsed.Metadata.Name), Name: parsed.Metadata.Name, Labels: parsed.Metadata.Labels,
		Spec: parsed.Canonical(), SpecHash: hash[:],
		WorkersMin: uint32(t.Parallelism.Workers.Min), WorkersMax: uint32(t.Parallelism.Workers.Max),
		MicroBatches: uint32(t.Training.MicroBatches), Priority: int32(t.Scheduling.Priority),
		EvenSegments: t.Parallelism.Reduction == "float32",
		Monitor:      t.Monitor(), HigherIsBetter: spec.HigherIsBetter(t.Monitor()),
	}
}
