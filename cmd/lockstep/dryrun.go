package main

import (
	"context"
	"fmt"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
)

// dryRun prints what would be submitted, and says where it would be placed.
func (a *app) dryRun(ctx context.Context, s *specText) error {
	if err := a.printSpec(s); err != nil {
		return err
	}
	return a.call(ctx, func(ctx context.Context, c *client.Client) error {
		p, err := c.PlaceJob(ctx, &lockstepv1.PlaceJobRequest{Spec: s.job.Canonical()})
		if err != nil {
			return answer(err)
		}
		for _, line := range placement(s.job.Metadata.Name, p) {
			a.sayf("%s", line)
		}
		if least := s.job.Spec.Parallelism.Workers.Min; least > int(p.UsableWorkers) {
			return exitErrorf(codeUnplaceable, "job %s cannot be placed: it needs %s, and the cluster has %d", s.job.Metadata.Name,
				count(least, "worker"), p.UsableWorkers)
		}
		return nil
	})
}

// placement tells in lines where a job would be placed.
func placement(name string, p *lockstepv1.Placement) []string {
	var lines []string
	if n := len(p.Members); n > 0 {
		lines = append(lines, fmt.Sprintf("job %s would begin on %s of %d:", name, count(n, "worker"), p.UsableWorkers))
		for _, m := range p.Members {
			lines = append(lines, fmt.Sprintf("  %s at %s, segments %d to %d", m.Worker, m.Address, m.SegmentFrom, m.SegmentTo-1))
		}
	} else {
		lines = append(lines, fmt.Sprintf("job %s would be at place %d of those that wait: it %s", name, p.QueuePosition, p.Reason))
	}
	for _, o := range p.Others {
		lines = append(lines, fmt.Sprintf("job %s would get other workers: %s", o.Job, o.Cause))
	}
	return append(lines, "nothing was submitted")
}

// printSpec prints a specification as it would be submitted.
func (a *app) printSpec(s *specText) error {
	switch a.format {
	case console.JSON:
		return console.WriteJSON(a.out, s.job)
	case console.Name:
		_, err := fmt.Fprintln(a.out, s.job.Metadata.Name)
		return err
	}
	return console.WriteYAML(a.out, s.job)
}
