package coord

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
)

const (
	// wrongQuarantine is how long a machine that computed or kept a wrong state is given no work.
	wrongQuarantine = time.Hour
	// maxDisputes is how often in a row the members of a job may differ without anyone being found wrong.
	maxDisputes = 3
)

// diverged acts on what members found when they compared their states. Those that are known to be wrong are evicted;
// where that is not known, the job goes back to a checkpoint, and who then turns out to have claimed something else is.
func (l *leader) diverged(ctx context.Context, r *lockstepv1.ReportFaultRequest) error {
	j, err := l.find(r.Job)
	if err != nil {
		return err
	}
	d := r.Divergence
	if err := validDivergence(d); err != nil {
		return err
	}
	if len(d.Wrong) > 0 {
		return l.evictWrong(ctx, j, d)
	}
	d.Generation, d.Count = r.Generation, 1
	if old := j.Generation.Dispute; old != nil && d.Position <= old.Position {
		d.Count += old.Count
	}
	step := d.Position / 2
	who := "workers " + strings.Join(claimants(d), " and ")
	if d.Count > maxDisputes {
		reason := fmt.Sprintf("%s have had different states %d times, at last after step %d, and it cannot be told whose are wrong: check their memory", who, d.Count, step)
		_, err := l.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_FailJob{FailJob: &lockstepv1.FailJob{Job: j.Id, Generation: r.Generation, Reason: reason}}})
		return err
	}
	cause := fmt.Sprintf("%s have different states after step %d; the steps up to it are made again", who, step)
	if !l.rebuildJob(j.Id, rebuild{generation: r.Generation, cause: cause, dispute: d}) {
		return nil // another member has said so
	}
	return l.alert(ctx, j.Id, cause)
}

// evictWrong removes the workers whose state is wrong, and keeps work from their machines.
func (l *leader) evictWrong(ctx context.Context, j *lockstepv1.Job, d *lockstepv1.Divergence) error {
	for _, id := range d.Wrong {
		reason := fmt.Sprintf("its state after step %d is not what the job's steps give: its memory or processor is not to be trusted", d.Position/2)
		c := &lockstepv1.RemoveWorker{Worker: id, Reason: reason, QuarantineMs: wrongQuarantine.Milliseconds()}
		if _, err := l.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_RemoveWorker{RemoveWorker: c}}); err != nil && status.Code(err) != codes.NotFound {
			return err
		}
		l.log.Warn("worker is evicted", "worker", id, "job", j.Id, "reason", reason)
	}
	return nil
}

func (l *leader) alert(ctx context.Context, id, reason string) error {
	_, err := l.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_RaiseAlert{RaiseAlert: &lockstepv1.RaiseAlert{Job: id, Reason: reason}}})
	return err
}

func claimants(d *lockstepv1.Divergence) []string {
	var out []string
	for _, c := range d.Claims {
		out = append(out, c.Worker)
	}
	return out
}

// validDivergence refuses a report that says nothing that could be acted on.
func validDivergence(d *lockstepv1.Divergence) error {
	for _, c := range d.Claims {
		if c == nil || len(c.Digest) != 32 {
			return status.Error(codes.InvalidArgument, "divergence: a claim without a digest")
		}
	}
	if len(d.Claims) == 0 && len(d.Wrong) == 0 {
		return status.Error(codes.InvalidArgument, "divergence: no claims")
	}
	return nil
}
