package main

import (
	"context"
	"errors"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/job"
)

// errPlaced ends a wait for workers that have come.
var errPlaced = errors.New("the job is placed")

// waitPlaced waits until workers have taken a job up.
func (a *app) waitPlaced(ctx context.Context, c *client.Client, id string, limit time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, limit, errTimedOut)
	defer stop()
	reason := ""
	_, err := watch(ctx, c, id, func(j *lockstepv1.Job) {
		reason = j.Reason
		if j.Generations > 0 || job.Ended(j.State) {
			cancel(errPlaced)
		}
	}, func(error) {})
	switch cause := context.Cause(ctx); {
	case err == nil, errors.Is(cause, errPlaced):
		return nil
	case errors.Is(cause, errTimedOut):
		return exitErrorf(codeUnplaceable, "job %s was not placed within %v: %s; it stays in the queue: lockstep job wait %s", id, limit, reason, id)
	}
	return err
}
