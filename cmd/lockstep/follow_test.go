package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/event"
	"lockstep/internal/job"
	"lockstep/internal/spec"
)

// started is a command line that runs beside the test.
type started struct {
	t         *testing.T
	out, err  buffer
	interrupt context.CancelCauseFunc
	done      chan error
}

func start(t *testing.T, args ...string) *started {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	s := &started{t: t, interrupt: cancel, done: make(chan error, 1)}
	go func() { s.done <- newApp(strings.NewReader(""), &s.out, &s.err).execute(ctx, args) }()
	t.Cleanup(func() { cancel(nil) })
	return s
}

// wait returns the result once the command has ended.
func (s *started) wait() result {
	s.t.Helper()
	select {
	case err := <-s.done:
		return result{exitCode(err), s.out.String(), s.err.String()}
	case <-time.After(limit):
		s.t.Fatalf("the command does not end\nstdout: %s\nstderr: %s", s.out.String(), s.err.String())
		return result{}
	}
}

// says waits until one of the streams contains a text.
func (s *started) says(b *buffer, text string) {
	s.t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(b.String(), text) {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("does not say %q\nstdout: %s\nstderr: %s", text, s.out.String(), s.err.String())
		}
	}
}

// emptyCluster is a cluster whose address the environment knows.
func emptyCluster(t *testing.T) *fake {
	t.Helper()
	noEnvironment(t)
	f := newFake(t)
	address, _ := f.serve()
	t.Setenv("LOCKSTEP_ADDR", address)
	return f
}

func (f *fake) waitForJob(id string) {
	f.wait("job "+id, func(s *job.State) bool { return s.Job(id) != nil })
}

// TestSubmitFollows: the outcome of the job is the outcome of the command.
func TestSubmitFollows(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(f *fake)
		code int
		out  []string
		err  []string
	}{
		"succeeded": {func(f *fake) { f.finish("tiny-1", "sha256:ab") }, 0, []string{"SUCCEEDED", "sha256:ab", "100"}, []string{"submitted job tiny-1", "PENDING  waits for workers", "RUNNING"}},
		"failed":    {func(f *fake) { f.fail("tiny-1", "bad record 7") }, codeFailed, []string{"FAILED"}, []string{"error: job tiny-1 failed: bad record 7"}},
		"cancelled": {func(f *fake) { f.cancel("tiny-1", "no more") }, codeCancelled, []string{"CANCELLED"}, []string{"error: job tiny-1 was cancelled: no more"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := emptyCluster(t)
			inFolder(t)
			s := start(t, "job", "submit", "tiny.yaml", "--set", "training.micro_batches=2")
			f.waitForJob("tiny-1")
			s.says(&s.err, "PENDING")
			f.form("tiny-1", "", "w1", "w2")
			s.says(&s.err, "RUNNING")
			f.progress("tiny-1", 30)
			f.form("tiny-1", "worker w2 is gone", "w1")
			s.says(&s.err, "tiny: worker w2 is gone; going on with 1 worker\n")
			c.end(f)
			s.wait().want(t, c.code, c.out, c.err)
		})
	}
}

// TestSubmitDetached prints the id, or what -o asks for, and returns.
func TestSubmitDetached(t *testing.T) {
	f := emptyCluster(t)
	inFolder(t)
	command(t, "job", "submit", "tiny.yaml", "-d", "--name", "other", "--set", "training.epochs=7", "--set", "metadata.labels.team=a=b").wantOut(t, "other-1\n")
	j, err := spec.FromCanonical(f.job("other-1").Spec)
	if err != nil {
		t.Fatal(err)
	}
	if j.Metadata.Name != "other" || j.Spec.Training.Epochs != 7 || j.Metadata.Labels["team"] != "a=b" || !strings.HasPrefix(j.Spec.Dataset.Source, "file:///") {
		t.Errorf("submitted %+v", j)
	}
	r := command(t, "job", "submit", "tiny.yaml", "-d", "-o", "json")
	var v job.View
	if err := json.Unmarshal([]byte(r.out), &v); err != nil || v.ID != "tiny-1" || v.State != "PENDING" {
		t.Errorf("printed %s, %v", r.out, err)
	}
	if f.requests[0] == "" || f.requests[0] == f.requests[1] {
		t.Errorf("request ids are %q: want one for each submission", f.requests)
	}
}

// TestSubmitAgainAfterLostLeader: the answer was lost, the job must not be there twice.
func TestSubmitAgainAfterLostLeader(t *testing.T) {
	f := emptyCluster(t)
	inFolder(t)
	f.refuse = 2
	command(t, "job", "submit", "tiny.yaml", "-d").wantOut(t, "tiny-1\n")
	if n := len(f.state.Jobs()); n != 1 || len(f.requests) != 3 || f.requests[0] != f.requests[2] {
		t.Errorf("%d jobs after requests %q", n, f.requests)
	}
}

func TestSubmitFromStandardInput(t *testing.T) {
	f := emptyCluster(t)
	inFolder(t)
	r := commandIn(t.Context(), tinySpec, "job", "submit", "-", "-d")
	r.wantOut(t, "tiny-1\n")
	f.waitForJob("tiny-1")
	r = commandIn(t.Context(), strings.Replace(tinySpec, "units: 2", "units: two", 1), "job", "submit", "-", "-d")
	r.want(t, codeUsage, nil, []string{"stdin:14:"})
}

// TestDryRun prints what would be submitted, as a specification that gives the same job again, and submits nothing.
func TestDryRun(t *testing.T) {
	f := emptyCluster(t)
	inFolder(t)
	f.placement = &lockstepv1.Placement{UsableWorkers: 3, Members: []*lockstepv1.Member{{Worker: "w1", Address: "h1:7080", SegmentTo: 4}},
		Others: []*lockstepv1.JobChange{{Job: "old-1", Cause: "2 workers given to other jobs"}}}
	for _, format := range []string{"table", "yaml", "json"} {
		r := command(t, "job", "submit", "tiny.yaml", "--dry-run", "-o", format)
		r.want(t, 0, []string{"global_batch_size", "bucket_mb"}, []string{"job tiny would begin on 1 worker of 3:\n  w1 at h1:7080, segments 0 to 3\n",
			"job old-1 would get other workers: 2 workers given to other jobs", "nothing was submitted"})
		once, err := spec.Parse("tiny.yaml", []byte(r.out))
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		f.mu.Lock()
		n := len(f.state.Jobs())
		f.mu.Unlock()
		if n > 0 {
			t.Error("submitted a job")
		}
		command(t, "job", "submit", "tiny.yaml", "-d", "--name", format).wantOut(t, format+"-1\n")
		hash := once.Hash()
		if !bytes.Equal(hash[:], f.job(format+"-1").SpecHash) {
			t.Errorf("%s: the printed specification is another job", format)
		}
		f.mu.Lock()
		f.state = job.New()
		f.mu.Unlock()
	}
	f.placement = &lockstepv1.Placement{UsableWorkers: 3, Reason: "waits for 4 workers: there are 3", QueuePosition: 2}
	command(t, "job", "submit", "tiny.yaml", "--dry-run", "-o", "name").want(t, 0, []string{"tiny\n"}, []string{"at place 2 of those that wait: it waits for 4 workers"})
	command(t, "job", "submit", "tiny.yaml", "--dry-run", "--set", "parallelism.workers.min=4").want(t, codeUnplaceable, []string{"min: 4"},
		[]string{"job tiny cannot be placed: it needs 4 workers, and the cluster has 3"})
	t.Setenv("LOCKSTEP_ADDR", "127.0.0.1:1")
	command(t, "job", "submit", "tiny.yaml", "--dry-run").want(t, codeError, []string{"bucket_mb"}, []string{"no coordinator answers"})
	command(t, "job", "validate", "tiny.yaml", "-o", "name").wantOut(t, "tiny\n")
	command(t, "job", "validate", "tiny.yaml", "-o", "json").want(t, 0, []string{"bucket_mb"}, nil)
}

func TestPlan(t *testing.T) {
	noEnvironment(t)
	inFolder(t)
	command(t, "job", "plan", "tiny.yaml", "--workers", "2", "--cores", "2").want(t, 0, []string{"8 train, 0 val, 0 test, each [2]", "dense_1", "22, 22 of them trainable",
		"4, 2 in each of 2 epochs", "4 in 4 micro-batches of at most 1", "BYTES SENT A STEP EACH", "2 to 3"}, nil)
	command(t, "job", "plan", "tiny.yaml", "-o", "json").want(t, 0, []string{`"parameters": 22`, `"segment_from": 0`}, nil)
	command(t, "job", "plan", "tiny.yaml", "-o", "name").wantOut(t, "dense\ndense_1\n")
	command(t, "job", "plan", "tiny.yaml", "--workers", "5").want(t, codeUsage, nil, []string{"5 workers: a step has 4 micro-batches"})
	command(t, "job", "plan", "tiny.yaml", "--set", "model.layers[1].units=3", "--set", "loss.type=binary_cross_entropy").want(t, codeUsage, nil, nil)
	command(t, "job", "plan", "tiny.yaml", "--cores", "-1").want(t, codeUsage, nil, []string{"want at least 1"})
}

// TestFilesElsewhere: a data file that is not here is an error, unless the workers are said to have it.
func TestFilesElsewhere(t *testing.T) {
	emptyCluster(t)
	inFolder(t)
	args := []string{"job", "submit", "tiny.yaml", "-d", "--set", "dataset.source=file:///not/here"}
	command(t, args...).want(t, codeUsage, nil, []string{"/not/here does not exist"})
	command(t, append(args, "--no-file-check")...).wantOut(t, "tiny-1\n")
}

// TestInterruptDetaches: the job does not notice.
func TestInterruptDetaches(t *testing.T) {
	f := emptyCluster(t)
	inFolder(t)
	for _, args := range []string{"job submit tiny.yaml", "job wait tiny"} {
		s := start(t, strings.Fields(args)...)
		f.waitForJob("tiny-1")
		s.says(&s.err, "PENDING")
		s.interrupt(errInterrupted)
		r := s.wait()
		r.want(t, codeInterrupted, nil, []string{"the job goes on; to follow it again: lockstep job wait tiny-1"})
		if strings.Contains(r.err, "error:") || r.out != "" {
			t.Errorf("%s: says %q and %q", args, r.out, r.err)
		}
	}
	if j := f.job("tiny-1"); j.State != lockstepv1.JobState_JOB_STATE_PENDING {
		t.Errorf("the job is %v", j.State)
	}
}

func TestWait(t *testing.T) {
	f, _ := twoJobs(t)
	command(t, "job", "wait", "iris", "--timeout", "50ms").want(t, codeTimedOut, nil, []string{"job iris has not ended within 50ms"})
	command(t, "job", "wait", "irsi").want(t, codeNotFound, nil, []string{`did you mean "iris"?`})
	f.fail("mnist-1", "bad record 7")
	command(t, "job", "wait", "mnist").want(t, codeFailed, []string{"FAILED"}, []string{"bad record 7"})
	f.cancel("iris-1", "")
	command(t, "job", "wait", "iris", "-o", "name").want(t, codeCancelled, []string{"iris-1\n"}, nil)
	f.create("new-1", "new")
	f.form("new-1", "", "w9")
	f.finish("new-1", "sha256:ab")
	r := command(t, "job", "wait", "new", "-o", "json", "--timeout", "1m")
	var v job.View
	if err := json.Unmarshal([]byte(r.out), &v); err != nil || r.code != 0 || v.State != "SUCCEEDED" || v.ModelDigest != "sha256:ab" {
		t.Errorf("exit code %d, printed %s, %v", r.code, r.out, err)
	}
}

// TestWaitSurvivesCoordinators: the one that was asked dies, another goes on.
func TestWaitSurvivesCoordinators(t *testing.T) {
	f, first := twoJobs(t)
	second, kill := f.serve()
	s := start(t, "job", "wait", "mnist", "--addr", second+","+first)
	s.says(&s.err, "RUNNING")
	kill()
	f.form("mnist-1", "worker w2 is gone", "w1")
	s.says(&s.err, "worker w2 is gone")
	f.finish("mnist-1", "sha256:ab")
	s.wait().want(t, 0, []string{"SUCCEEDED"}, nil)
}

// TestLogsSurviveCoordinators: another coordinator goes on where the one that died has stopped; no line is lost, and none
// comes twice.
func TestLogsSurviveCoordinators(t *testing.T) {
	f, _ := twoJobs(t)
	address, kill := f.serve()
	f.say("w1", "left out", 1)
	f.say("w1", "one", 2)
	f.say("w2", "two", 3)
	s := start(t, "job", "logs", "-f", "mnist-1", "--tail", "2", "--addr", address)
	s.says(&s.out, "two")
	f.say("w3", "late", 1) // by another clock, or of a process that was busy
	s.says(&s.out, "late")
	kill()
	f.serveAt(address)
	f.say("w2", "three", 4)
	f.say("w1", "four", 4)
	s.says(&s.out, "four")
	f.finish("mnist-1", "sha256:ab")
	r := s.wait()
	r.want(t, 0, nil, nil)
	var got []string
	for line := range strings.Lines(r.out) {
		got = append(got, strings.Fields(line)[3])
	}
	if diff := cmp.Diff([]string{"one", "two", "late", "three", "four"}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// TestWaitForJobThatIsLost: the cluster came back without it.
func TestWaitForJobThatIsLost(t *testing.T) {
	f := emptyCluster(t)
	address, kill := f.serve()
	f.create("lost-1", "lost")
	s := start(t, "job", "wait", "lost", "--addr", address)
	s.says(&s.err, "PENDING")
	kill()
	newFake(t).serveAt(address)
	s.wait().want(t, codeNotFound, nil, []string{"lost-1"})
}

// TestWatchDoesNotGoBack: what a replica that is behind the others shows is not believed.
func TestWatchDoesNotGoBack(t *testing.T) {
	f, address := twoJobs(t)
	at := func(generations uint32, step uint64) *lockstepv1.Job {
		return &lockstepv1.Job{Id: "mnist-1", State: lockstepv1.JobState_JOB_STATE_RUNNING, Generations: generations, Progress: &lockstepv1.Progress{Step: step}}
	}
	f.behind = []*lockstepv1.Job{at(1, 5), at(1, 3), at(2, 5), at(1, 6), at(2, 7)}
	f.fail("mnist-1", "enough")
	c, err := client.Dial([]string{address})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []string
	j, err := watch(t.Context(), c, "mnist-1", func(j *lockstepv1.Job) {
		got = append(got, fmt.Sprintf("%s %d/%d", job.StateName(j.State), j.Generations, j.Progress.GetStep()))
	}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"RUNNING 1/5", "RUNNING 2/5", "RUNNING 2/7", "FAILED 1/30"}, got); diff != "" || j.Reason != "enough" {
		t.Errorf("saw (-want +got):\n%s\nand in the end %v", diff, j)
	}
}

func TestOlder(t *testing.T) {
	at := func(state lockstepv1.JobState, generations uint32, step uint64) *lockstepv1.Job {
		return &lockstepv1.Job{State: state, Generations: generations, Progress: &lockstepv1.Progress{Step: step}}
	}
	const running, done = lockstepv1.JobState_JOB_STATE_RUNNING, lockstepv1.JobState_JOB_STATE_SUCCEEDED
	for name, c := range map[string]struct {
		j, than *lockstepv1.Job
		want    bool
	}{
		"the first":         {at(running, 1, 5), nil, false},
		"same":              {at(running, 1, 5), at(running, 1, 5), false},
		"earlier step":      {at(running, 1, 4), at(running, 1, 5), true},
		"earlier members":   {at(running, 1, 5), at(running, 2, 5), true},
		"ended":             {at(done, 1, 5), at(running, 1, 4), false},
		"before it ended":   {at(running, 1, 5), at(done, 1, 5), true},
		"end of a resubmit": {at(done, 1, 5), at(done, 1, 5), false},
	} {
		if got := older(c.j, c.than); got != c.want {
			t.Errorf("%s: older = %v, want %v", name, got, c.want)
		}
	}
}

func TestEvents(t *testing.T) {
	f, _ := twoJobs(t)
	f.checkpoint("mnist-1", modelState(30))
	r := command(t, "job", "events", "mnist")
	r.want(t, 0, []string{"state       state=PENDING reason=\"waits for workers\"", "progress    step=30 epoch=3 workers=2 total_steps=100", "train_loss=0.5", "checkpoint  step=30"}, nil)
	if strings.Contains(r.out, "iris") {
		t.Errorf("events of another job:\n%s", r.out)
	}
	r = command(t, "job", "events", "mnist", "-o", "json")
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	for _, line := range lines {
		e, err := event.Decode([]byte(line))
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if !strings.HasPrefix(e.Type, "lockstep.job.") || !strings.Contains(e.Subject, "mnist-1") {
			t.Errorf("event %+v", e)
		}
	}
	if len(lines) != 5 { // two states, progress, metric, checkpoint
		t.Errorf("%d events:\n%s", len(lines), r.out)
	}
	names := strings.Fields(command(t, "job", "events", "mnist", "-o", "name").out)
	if len(names) != 5 {
		t.Errorf("names are %q", names)
	}
	if yaml := command(t, "job", "events", "mnist", "-o", "yaml").out; strings.Count(yaml, "---\n") != 5 || !strings.Contains(yaml, "specversion:") {
		t.Errorf("YAML is %s", yaml)
	}
	command(t, "job", "events", "mnist", "-o", "wide").want(t, 0, []string{"lockstep.v1.job.mnist-1.progress"}, nil)
	command(t, "job", "events", "nothing").want(t, codeNotFound, nil, nil)
}

// TestEventsFollow: every event once and in order, over a coordinator that dies, until the job has ended.
func TestEventsFollow(t *testing.T) {
	f, _ := twoJobs(t)
	address, kill := f.serve()
	s := start(t, "job", "events", "mnist", "-f", "-o", "json", "--addr", address)
	for step := uint64(31); step <= 60; step++ {
		f.progress("mnist-1", step)
		if step == 45 {
			s.says(&s.out, `"step":44`)
			kill()
			f.serveAt(address)
		}
	}
	f.fail("mnist-1", "enough")
	r := s.wait()
	if r.code != 0 { // the events were printed; that the job failed is in them
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	var got, want []string
	for line := range strings.Lines(r.out) {
		if e, err := event.Decode([]byte(line)); err != nil {
			t.Fatal(err)
		} else if e.Type == "lockstep.job.progress" {
			var d struct{ Step int }
			if err := json.Unmarshal(e.Data, &d); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(d.Step))
		}
	}
	for step := 30; step <= 60; step++ {
		want = append(want, fmt.Sprint(step))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if !strings.Contains(r.out, `"state":"FAILED"`) {
		t.Errorf("the last event is missing:\n%s", r.out)
	}
}

func TestEventsFollowInterrupted(t *testing.T) {
	twoJobs(t)
	s := start(t, "job", "events", "mnist", "-f")
	s.says(&s.out, "PENDING")
	s.interrupt(errInterrupted)
	if r := s.wait(); r.code != codeInterrupted || r.err != "" {
		t.Errorf("exit code %d, says %q", r.code, r.err)
	}
}

func TestInit(t *testing.T) {
	noEnvironment(t)
	t.Chdir(t.TempDir())
	for _, name := range spec.Templates() {
		r := command(t, "job", "init", name)
		if _, err := spec.Parse(name+".yaml", []byte(r.out)); err != nil || r.code != 0 {
			t.Errorf("%s: exit code %d: %v", name, r.code, err)
		}
	}
	command(t, "job", "init", "--output", "new.yaml").wantOut(t, "")
	command(t, "job", "init", "--output", "new.yaml").want(t, codeError, nil, []string{"new.yaml", "file exists"})
}
