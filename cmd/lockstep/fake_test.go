package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/job"
	"lockstep/internal/spec"
)

// fake is a cluster without raft and workers: the real state machine behind real gRPC servers, to which a test does
// what a leader would.
type fake struct {
	lockstepv1.UnimplementedJobsServer
	lockstepv1.UnimplementedWorkersServer
	lockstepv1.UnimplementedClusterServer
	lockstepv1.UnimplementedChunksServer
	lockstepv1.UnimplementedAccessServer
	t       *testing.T
	options []grpc.ServerOption

	mu        sync.Mutex
	state     *job.State
	index     uint64
	changed   chan struct{}
	chunks    map[ckpt.Hash][]byte
	placement *lockstepv1.Placement // what PlaceJob answers
	requests  []string              // ids of the submissions that arrived
	refuse    int                   // so many submissions are applied, and then answered as if the coordinator had died
	lines     []*lockstepv1.LogLine // of all jobs
	behind    []*lockstepv1.Job     // what the next watchers see, one each, before the stream breaks
}

func newFake(t *testing.T) *fake {
	return &fake{t: t, state: job.New(), changed: make(chan struct{}), chunks: map[ckpt.Hash][]byte{}}
}

// serve starts a coordinator and returns its address and what kills it.
func (f *fake) serve() (string, func()) {
	f.t.Helper()
	return f.serveAt("127.0.0.1:0")
}

func (f *fake) serveAt(address string) (string, func()) {
	f.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		f.t.Fatal(err)
	}
	s := grpc.NewServer(f.options...)
	lockstepv1.RegisterJobsServer(s, f)
	lockstepv1.RegisterWorkersServer(s, f)
	lockstepv1.RegisterClusterServer(s, f)
	lockstepv1.RegisterChunksServer(s, f)
	lockstepv1.RegisterAccessServer(s, f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l)
	}()
	kill := sync.OnceFunc(func() { s.Stop(); <-done })
	f.t.Cleanup(kill)
	return l.Addr().String(), kill
}

// WatchLogs sends the lines that there are, and those that come until the job has ended.
func (f *fake) WatchLogs(r *lockstepv1.WatchLogsRequest, stream grpc.ServerStreamingServer[lockstepv1.LogLine]) error {
	for sent := 0; ; {
		f.mu.Lock()
		lines, changed, over := f.lines, f.changed, job.Ended(f.state.Job(r.Job).State)
		f.mu.Unlock()
		if sent == 0 && r.Tail > 0 {
			sent = max(0, len(lines)-int(r.Tail))
		}
		for ; sent < len(lines); sent++ {
			if err := stream.Send(lines[sent]); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// say adds a log line, of a time in nanoseconds.
func (f *fake) say(source, message string, ns int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, &lockstepv1.LogLine{TimeNs: ns, Source: source, Level: "INFO", Message: message})
	close(f.changed)
	f.changed = make(chan struct{})
}

// apply executes a command, which must not be refused.
func (f *fake) apply(c *lockstepv1.Command) *lockstepv1.Result {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.applyLocked(c)
	if r.Refusal != lockstepv1.Refusal_REFUSAL_NONE {
		f.t.Fatalf("command %v: %s", c, r.Message)
	}
	return r
}

// REQUIRES: f.mu
func (f *fake) applyLocked(c *lockstepv1.Command) *lockstepv1.Result {
	f.index++
	c.NowMs = 1_700_000_000_000 + int64(f.index)*1000
	r := f.state.Apply(f.index, c)
	close(f.changed)
	f.changed = make(chan struct{})
	return r
}

// create makes a job with two micro-batches.
func (f *fake) create(id, name string) {
	f.t.Helper()
	f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CreateJob{CreateJob: &lockstepv1.CreateJob{Job: &lockstepv1.Job{
		Id: id, Name: name, Spec: []byte(`{"kind":"TrainJob"}`), SpecHash: make([]byte, 32), MicroBatches: 2, WorkersMin: 1, WorkersMax: 8,
	}}}})
}

// form gives a job a generation with these workers.
func (f *fake) form(id, cause string, workers ...string) {
	f.t.Helper()
	c := &lockstepv1.FormGeneration{Job: id, Cause: cause, Replaces: f.job(id).Generation.GetNumber()}
	for i, w := range workers {
		if f.state.Worker(w) == nil {
			f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_AddWorker{AddWorker: &lockstepv1.AddWorker{Worker: &lockstepv1.Worker{Id: w, Address: w + ":7080", Cores: 2}}}})
		}
		c.Members = append(c.Members, &lockstepv1.Member{Worker: w, Address: w + ":7080", SegmentFrom: uint32(2 * i / len(workers)), SegmentTo: uint32(2 * (i + 1) / len(workers))})
	}
	f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_FormGeneration{FormGeneration: c}})
}

func (f *fake) progress(id string, step uint64, metrics ...*lockstepv1.Value) {
	f.t.Helper()
	f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_RecordProgress{RecordProgress: &lockstepv1.RecordProgress{
		Job: id, Generation: f.job(id).Generation.Number,
		Progress: &lockstepv1.Progress{Step: step, Epoch: uint32(step / 10), TotalSteps: 100, TotalEpochs: 10, Parameters: 42, TimedRecords: 500, TimedSeconds: 1, Metrics: metrics, Workers: 2},
	}}})
}

func (f *fake) finish(id, digest string) {
	f.t.Helper()
	f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_FinishJob{FinishJob: &lockstepv1.FinishJob{
		Job: id, Generation: f.job(id).Generation.Number, ModelDigest: digest, Progress: &lockstepv1.Progress{Step: 100, Epoch: 10, TotalSteps: 100, TotalEpochs: 10, Parameters: 42},
	}}})
}

func (f *fake) fail(id, reason string) {
	f.t.Helper()
	f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_FailJob{FailJob: &lockstepv1.FailJob{Job: id, Generation: f.job(id).Generation.Number, Reason: reason}}})
}

func (f *fake) cancel(id, reason string) {
	f.t.Helper()
	f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CancelJob{CancelJob: &lockstepv1.CancelJob{Job: id, Reason: reason}}})
}

// checkpoint commits a checkpoint of a training state.
func (f *fake) checkpoint(id string, s *ckpt.State) {
	f.t.Helper()
	e, err := ckpt.NewEncoding(s)
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := ckpt.BuildManifest(e, e.Len())
	if err != nil {
		f.t.Fatal(err)
	}
	c := &lockstepv1.Checkpoint{Id: id + "-c", Step: s.Step, Size: m.Size, Root: m.Root[:]}
	f.mu.Lock()
	for i, span := range ckpt.Split(e.Len(), ckpt.ChunkSize) {
		data := make([]byte, span.Len)
		if _, err := e.ReadAt(data, span.Off); err != nil {
			f.t.Fatal(err)
		}
		f.chunks[m.Chunks[i]] = data
		c.Chunks = append(c.Chunks, m.Chunks[i][:])
	}
	f.mu.Unlock()
	f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CommitCheckpoint{CommitCheckpoint: &lockstepv1.CommitCheckpoint{
		Job: id, Generation: f.job(id).Generation.Number, Checkpoint: c,
	}}})
}

func (f *fake) job(id string) *lockstepv1.Job {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Job(id)
}

// wait blocks until the state is as the test wants it, at most as long as the test may take.
func (f *fake) wait(what string, want func(*job.State) bool) {
	f.t.Helper()
	for {
		f.mu.Lock()
		ok, changed := want(f.state), f.changed
		f.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-f.t.Context().Done():
			f.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (f *fake) find(id string) (*lockstepv1.Job, chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j := f.state.Job(id); j != nil {
		return j, f.changed, nil
	}
	return nil, nil, status.Errorf(codes.NotFound, "there is no job %q", id)
}

func (f *fake) SubmitJob(_ context.Context, r *lockstepv1.SubmitJobRequest) (*lockstepv1.Job, error) {
	s, err := spec.FromCanonical(r.Spec)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.RequestId)
	hash := s.Hash()
	res := f.applyLocked(&lockstepv1.Command{RequestId: r.RequestId, Op: &lockstepv1.Command_CreateJob{CreateJob: &lockstepv1.CreateJob{Job: &lockstepv1.Job{
		Id: s.Metadata.Name + "-1", Name: s.Metadata.Name, Spec: r.Spec, SpecHash: hash[:], MicroBatches: uint32(s.Spec.Training.MicroBatches), WorkersMin: 1, WorkersMax: 8,
	}}}})
	if res.Refusal != lockstepv1.Refusal_REFUSAL_NONE {
		return nil, status.Error(codes.FailedPrecondition, res.Message)
	}
	if f.refuse > 0 {
		f.refuse--
		return nil, status.Error(codes.Unavailable, "the leader is gone")
	}
	return f.state.Job(res.Id), nil
}

func (f *fake) PlaceJob(context.Context, *lockstepv1.PlaceJobRequest) (*lockstepv1.Placement, error) {
	return f.placement, nil
}

func (f *fake) GetJob(_ context.Context, r *lockstepv1.GetJobRequest) (*lockstepv1.Job, error) {
	j, _, err := f.find(r.Job)
	return j, err
}

func (f *fake) GetSeries(_ context.Context, r *lockstepv1.GetJobRequest) (*lockstepv1.Series, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &lockstepv1.Series{Job: r.Job, Points: f.state.Series(r.Job).GetPoints()}, nil
}

func (f *fake) ListJobs(context.Context, *lockstepv1.ListJobsRequest) (*lockstepv1.ListJobsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &lockstepv1.ListJobsResponse{Jobs: f.state.Jobs()}, nil
}

func (f *fake) CancelJob(_ context.Context, r *lockstepv1.CancelJobRequest) (*lockstepv1.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if res := f.applyLocked(&lockstepv1.Command{Op: &lockstepv1.Command_CancelJob{CancelJob: &lockstepv1.CancelJob{Job: r.Job, Reason: r.Reason}}}); res.Refusal != lockstepv1.Refusal_REFUSAL_NONE {
		return nil, status.Error(codes.FailedPrecondition, res.Message)
	}
	return f.state.Job(r.Job), nil
}

func (f *fake) WatchJob(r *lockstepv1.GetJobRequest, stream grpc.ServerStreamingServer[lockstepv1.Job]) error {
	f.mu.Lock()
	if len(f.behind) > 0 {
		j := f.behind[0]
		f.behind = f.behind[1:]
		f.mu.Unlock()
		return errors.Join(stream.Send(j), status.Error(codes.Unavailable, "lost the leader"))
	}
	f.mu.Unlock()
	for sent := (*lockstepv1.Job)(nil); ; {
		j, changed, err := f.find(r.Job)
		if err != nil {
			return err
		}
		if sent == nil || !proto.Equal(sent, j) {
			if err := stream.Send(j); err != nil {
				return err
			}
			sent = j
		}
		if job.Ended(j.State) {
			return nil
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func (f *fake) WatchEvents(r *lockstepv1.WatchEventsRequest, stream grpc.ServerStreamingServer[lockstepv1.Event]) error {
	for after := r.After; ; {
		f.mu.Lock()
		events, changed, over := f.state.EventsAfter(after), f.changed, !r.Follow || job.Ended(f.state.Job(r.Job).State)
		f.mu.Unlock()
		for _, e := range events {
			after = e.Sequence
			if e.Job != r.Job {
				continue
			}
			if err := stream.Send(e); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func (f *fake) ListWorkers(context.Context, *lockstepv1.ListWorkersRequest) (*lockstepv1.ListWorkersResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &lockstepv1.ListWorkersResponse{}
	for _, w := range f.state.Workers() {
		s := &lockstepv1.WorkerStatus{Worker: w}
		if j := f.state.JobOf(w.Id); j != nil {
			s.Job, s.Segments = j.Id, 1
		}
		out.Workers = append(out.Workers, s)
	}
	return out, nil
}

func (f *fake) GetStatus(context.Context, *lockstepv1.GetStatusRequest) (*lockstepv1.ClusterStatus, error) {
	return &lockstepv1.ClusterStatus{Leader: "c-1", Term: 3, CommitIndex: 17, AppliedIndex: 17, AnsweredBy: "c-2", Workers: 2, JobsRunning: 1,
		Coordinators: []*lockstepv1.CoordinatorStatus{
			{Coordinator: &lockstepv1.Coordinator{Id: "c-1", Address: "h1:7070"}, Role: "Leader", Reachable: true, AppliedIndex: 17},
			{Coordinator: &lockstepv1.Coordinator{Id: "c-2", Address: "h2:7070"}, Role: "Follower"},
		}}, nil
}

func (f *fake) GetChunk(_ context.Context, r *lockstepv1.GetChunkRequest) (*lockstepv1.GetChunkResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, ok := f.chunks[ckpt.Hash(r.Hash)]
	if !ok {
		return nil, status.Error(codes.NotFound, "no such chunk")
	}
	return &lockstepv1.GetChunkResponse{Data: data}, nil
}

func (f *fake) DeleteCheckpoint(_ context.Context, r *lockstepv1.DeleteCheckpointRequest) (*lockstepv1.Job, error) {
	return f.change(r.Job, &lockstepv1.Command{Op: &lockstepv1.Command_DeleteCheckpoint{
		DeleteCheckpoint: &lockstepv1.DeleteCheckpoint{Job: r.Job, Checkpoint: r.Checkpoint}}})
}

// change applies a command that may be refused, and returns the job as it is then.
func (f *fake) change(id string, c *lockstepv1.Command) (*lockstepv1.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if res := f.applyLocked(c); res.Refusal != lockstepv1.Refusal_REFUSAL_NONE {
		return nil, status.Error(codes.FailedPrecondition, res.Message)
	}
	return f.state.Job(id), nil
}

func (f *fake) DeleteJob(_ context.Context, r *lockstepv1.DeleteJobRequest) (*lockstepv1.DeleteJobResponse, error) {
	_, err := f.change(r.Job, &lockstepv1.Command{Op: &lockstepv1.Command_DeleteJob{DeleteJob: &lockstepv1.DeleteJob{Job: r.Job, Force: r.Force}}})
	return &lockstepv1.DeleteJobResponse{}, err
}

func (f *fake) RetryJob(_ context.Context, r *lockstepv1.RetryJobRequest) (*lockstepv1.Job, error) {
	old := f.job(r.Job)
	from, err := job.RetryFrom(old, r.From)
	if err != nil {
		return nil, status.Error(codes.NotFound, err.Error())
	}
	j := job.Again(old, old.Id+"-again")
	return f.change(j.Id, &lockstepv1.Command{Op: &lockstepv1.Command_CreateJob{CreateJob: &lockstepv1.CreateJob{Job: j, From: from}}})
}
