package testcluster

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
)

// What users do to jobs, and what they are told: as if it happened one after the other, each thing between its question and
// its answer. The cluster has no workers, so that nobody else changes a job.

// call is one request; the state of a job is 0 while there is none.
type call struct{ what, job string }

// answer is what came back. Without a known code the request may take effect at any time, or never.
type answer struct {
	code  codes.Code
	state lockstepv1.JobState // of a get
}

const (
	absent    = lockstepv1.JobState_JOB_STATE_UNSPECIFIED
	pending   = lockstepv1.JobState_JOB_STATE_PENDING
	paused    = lockstepv1.JobState_JOB_STATE_PAUSED
	cancelled = lockstepv1.JobState_JOB_STATE_CANCELLED
)

// effect is the state after a request, and the code of its answer.
func effect(s lockstepv1.JobState, what string) (lockstepv1.JobState, codes.Code) {
	switch {
	case what == "submit" && s == absent:
		return pending, codes.OK
	case what == "submit":
		return s, codes.OK
	case s == absent:
		return s, codes.NotFound
	case what == "get":
		return s, codes.OK
	case s == cancelled, what == "resume" && s != paused:
		return s, codes.FailedPrecondition
	case what == "cancel":
		return cancelled, codes.OK
	case what == "pause":
		return paused, codes.OK
	default:
		return pending, codes.OK
	}
}

var jobs = porcupine.NondeterministicModel{
	Init: func() []any { return []any{absent} },
	Partition: func(history []porcupine.Operation) (out [][]porcupine.Operation) {
		of := map[string][]porcupine.Operation{}
		for _, op := range history {
			of[op.Input.(call).job] = append(of[op.Input.(call).job], op)
		}
		for _, ops := range of {
			out = append(out, ops)
		}
		return out
	},
	Step: func(state, input, output any) []any {
		s, in, out := state.(lockstepv1.JobState), input.(call), output.(answer)
		next, code := effect(s, in.what)
		switch {
		case out.code == codes.Unknown:
			return []any{s, next}
		case out.code != code, in.what == "get" && code == codes.OK && out.state != s:
			return nil
		}
		return []any{next}
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " -> ", output) },
}

// ask makes a request through a client, and says when.
func ask(ctx context.Context, c *client.Client, in call, canonical []byte) (out answer) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var j *lockstepv1.Job
	var err error
	switch in.what {
	case "submit":
		j, err = c.SubmitJob(ctx, &lockstepv1.SubmitJobRequest{RequestId: in.job, Spec: canonical})
	case "get":
		j, err = c.GetJob(ctx, &lockstepv1.GetJobRequest{Job: in.job})
	case "pause":
		_, err = c.PauseJob(ctx, &lockstepv1.PauseJobRequest{Job: in.job})
	case "resume":
		_, err = c.ResumeJob(ctx, &lockstepv1.ResumeJobRequest{Job: in.job})
	case "cancel":
		_, err = c.CancelJob(ctx, &lockstepv1.CancelJobRequest{Job: in.job})
	}
	switch code := status.Code(err); code {
	case codes.OK, codes.NotFound, codes.FailedPrecondition:
		return answer{code, j.GetState()}
	default:
		return answer{code: codes.Unknown}
	}
}

// history is what all clients did.
type history struct {
	mu    sync.Mutex
	ops   []porcupine.Operation // under mu
	begin time.Time
	asked atomic.Int64
}

func (h *history) record(who int, in call, do func() answer) {
	op := porcupine.Operation{ClientId: who, Input: in, Call: time.Since(h.begin).Nanoseconds()}
	out := do()
	op.Output, op.Return = out, time.Since(h.begin).Nanoseconds()
	if out.code == codes.Unknown {
		op.Return = int64(time.Hour) // it may still be under way
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, op)
}

// answered counts the requests whose answer is known.
func (h *history) answered() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops {
		if op.Output.(answer).code != codes.Unknown {
			n++
		}
	}
	return n
}

// wait waits until so many requests are answered.
func (h *history) wait(ctx context.Context, n int) {
	for h.answered() < n && ctx.Err() == nil {
		after(20 * time.Millisecond)
	}
}

// TestJobsAreLinearizable: the leader is cut off again and again while clients submit, pause, resume, cancel and look at
// the same jobs.
func TestJobsAreLinearizable(t *testing.T) {
	c := Start(t, Options{Hosts: true})
	leader := c.Leader()
	ctx, stop := context.WithCancel(c.context())
	defer stop()
	h := history{begin: time.Now()}
	text := digits(t, "metadata.name", "the-name")
	var g sync.WaitGroup
	for who := range 4 {
		cl, err := client.Dial(c.Addresses())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cl.Close() })
		g.Go(func() { h.user(ctx, text, who, cl) })
	}
	for range 2 {
		h.wait(ctx, h.answered()+100)
		c.cut(leader)
		leader = c.Leader()
	}
	h.wait(ctx, h.answered()+100)
	stop()
	g.Wait()
	t.Logf("%d requests, %d of them answered", len(h.ops), h.answered())
	if got := porcupine.CheckOperationsTimeout(jobs.ToModel(), h.ops, time.Minute); got != porcupine.Ok {
		t.Errorf("the history of %d requests is not linearizable: %s", len(h.ops), got)
	}
}

// user makes requests until ctx ends, all of them about the newest job.
func (h *history) user(ctx context.Context, text []byte, who int, c *client.Client) {
	r := rand.New(rand.NewPCG(uint64(who), 0))
	what := []string{"submit", "get", "get", "get", "pause", "resume", "cancel"}
	for ctx.Err() == nil {
		in := call{what[r.IntN(len(what))], fmt.Sprintf("job-%d", h.asked.Add(1)/20)}
		canonical := bytes.Replace(text, []byte("the-name"), []byte(in.job), 1)
		h.record(who, in, func() answer { return ask(ctx, c, in, canonical) })
	}
}
