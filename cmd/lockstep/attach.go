package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/job"
)

// attach shows a job's progress until it has ended, and returns it. A coordinator that dies meanwhile is replaced by
// another. The error is the cause of ctx if that ended first.
// Its figures go to TensorBoard's files in boardDir, unless that is empty.
func (a *app) attach(ctx context.Context, c *client.Client, id, boardDir string) (_ *lockstepv1.Job, err error) {
	figures, err := openBoard(c, id, boardDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, figures.close(ctx)) }()
	bar := console.OpenProgress(a.err, a.errTerm.Width)
	a.setBar(bar)
	defer bar.Close()
	defer a.setBar(nil)
	var last *lockstepv1.Job
	beside, cancel := context.WithCancel(ctx)
	var notices sync.WaitGroup
	defer notices.Wait()
	defer cancel()
	return watch(ctx, c, id, func(j *lockstepv1.Job) {
		if last == nil {
			notices.Go(func() { a.showNotices(beside, c, j, bar) })
		}
		if note := generationNote(last, j); note != "" {
			bar.Note(note)
		}
		last = j
		bar.Update(statusOf(j))
		if err := figures.follow(ctx); err != nil {
			bar.Note("TensorBoard: " + err.Error())
		}
	}, func(err error) {
		bar.Note("the cluster does not answer, trying again: " + status.Convert(err).Message())
	})
}

// watch calls see with a job whenever it has changed, until it has ended. lost is called when the cluster was silent
// for a while.
func watch(ctx context.Context, c *client.Client, id string, see func(*lockstepv1.Job), lost func(error)) (*lockstepv1.Job, error) {
	var last *lockstepv1.Job
	err := reconnecting(ctx, lost, func() (bool, error) {
		stream, err := c.WatchJob(ctx, &lockstepv1.GetJobRequest{Job: id})
		if err != nil {
			return false, err
		}
		for progressed := false; ; progressed = true {
			j, err := stream.Recv()
			if errors.Is(err, io.EOF) && last != nil && job.Ended(last.State) {
				return true, nil
			}
			if err != nil {
				return progressed, err
			}
			if !older(j, last) {
				last = j
				see(j)
			}
		}
	})
	return last, err
}

// older tells whether j is a past that a replica behind the others still shows.
func older(j, than *lockstepv1.Job) bool {
	if than == nil || job.Ended(j.State) {
		return false
	}
	return job.Ended(than.State) || j.Generations < than.Generations || j.Progress.GetStep() < than.Progress.GetStep()
}

const (
	reconnectMin = 50 * time.Millisecond
	reconnectMax = time.Second
	silence      = 3 * time.Second // without an answer, after which lost is called
)

// reconnecting calls listen, which listens to a stream until it breaks, again and again until it returns no error, or
// one that another coordinator would give too. listen also returns whether it heard anything.
func reconnecting(ctx context.Context, lost func(error), listen func() (bool, error)) error {
	heard, told := time.Now(), false
	for delay := reconnectMin; ; delay = min(2*delay, reconnectMax) {
		progressed, err := listen()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !passing(err):
			return answer(err)
		case progressed:
			heard, told, delay = time.Now(), false, reconnectMin
		case !told && time.Since(heard) >= silence:
			lost(err)
			told = true
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(delay/2 + rand.N(delay)):
		}
	}
}

// passing tells whether an error is of a connection or a coordinator, not of the request.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.NotFound, codes.InvalidArgument, codes.Unimplemented, codes.PermissionDenied, codes.Unauthenticated, codes.OutOfRange:
		return false
	}
	return true
}

// statusOf is a job as the progress line shows it.
func statusOf(j *lockstepv1.Job) console.Status {
	p, v := j.GetProgress(), job.ViewOf(j)
	s := console.Status{
		Name: v.Name, State: v.State, Running: job.StateName(lockstepv1.JobState_JOB_STATE_RUNNING), Reason: v.Reason,
		Step: v.Step, Total: p.GetTotalSteps(), Epoch: v.Epoch, Epochs: p.GetTotalEpochs(),
		Rate: v.SamplesPerSecond, Workers: v.Workers,
	}
	for _, wanted := range []struct {
		label string
		names []string
	}{
		{"loss", []string{"train_loss"}},
		{"acc", []string{"val_accuracy", "test_accuracy", "train_accuracy"}},
	} {
		if value, ok := first(p.GetMetrics(), wanted.names); ok {
			s.Figures = append(s.Figures, console.Figure{Label: wanted.label, Value: value})
		}
	}
	return s
}

// first returns the first of the named values that is there.
func first(values []*lockstepv1.Value, names []string) (float64, bool) {
	for _, name := range names {
		for _, v := range values {
			if v.Name == name {
				return v.Value, true
			}
		}
	}
	return 0, false
}

// generationNote tells of a new membership of a job that already ran; "" if there is none.
func generationNote(old, j *lockstepv1.Job) string {
	g := j.GetGeneration()
	if old.GetGeneration() == nil || g.GetNumber() == old.Generation.Number {
		return ""
	}
	cause := g.Cause
	if cause == "" {
		cause = "the membership changed"
	}
	return fmt.Sprintf("%s: %s; going on with %s", j.Name, strings.TrimSuffix(cause, "."), count(len(g.Members), "worker"))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
