package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/artifact"
	"lockstep/internal/spec"
)

// Exit codes.
const (
	codeError       = 1
	codeUsage       = 2 // bad usage or specification
	codeFailed      = 3 // the job failed
	codeCancelled   = 4 // the job was cancelled
	codeNotFound    = 5
	codeUnplaceable = 6 // the cluster has too few workers for the job
	codeUnverified  = 7 // what was written is not what it should be
	codeTimedOut    = 124
	codeInterrupted = 130
)

// exitError is an error that has an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exitErrorf(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// exitCode is the process's exit code for what a command returned.
func exitCode(err error) int {
	var e *exitError
	var bad *spec.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &bad):
		return codeUsage
	case errors.Is(err, artifact.ErrDigest):
		return codeUnverified
	}
	return codeError
}

// answer turns the error of a call to a coordinator into words for a user, with the exit code that fits.
func answer(err error) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	code := codeError
	switch s.Code() {
	case codes.NotFound:
		code = codeNotFound
	case codes.InvalidArgument:
		code = codeUsage
	case codes.Unavailable, codes.DeadlineExceeded:
		return fmt.Errorf("the cluster does not answer: %s", s.Message())
	}
	return exitErrorf(code, "%s", s.Message())
}

// outcome is how a job that ended makes the command end.
func outcome(j *lockstepv1.Job) error {
	switch j.State {
	case lockstepv1.JobState_JOB_STATE_FAILED:
		return exitErrorf(codeFailed, "job %s failed: %s", j.Id, j.Reason)
	case lockstepv1.JobState_JOB_STATE_CANCELLED:
		return exitErrorf(codeCancelled, "job %s was cancelled%s", j.Id, because(j.Reason))
	}
	return nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// interrupted tells whether a context ended by Ctrl-C.
func interrupted(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), errInterrupted)
}

// explain prints what went wrong. Faults of a specification begin with their place, for editors that jump to it.
func (a *app) explain(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			a.explain(e)
		}
		return
	}
	if bad, ok := err.(*spec.Error); ok {
		a.sayf("%s\n", bad)
		return
	}
	a.sayf("%s %s", a.errTerm.Bad("error:"), strings.TrimSpace(err.Error()))
}
