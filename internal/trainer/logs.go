package trainer

import (
	"context"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// GetLogs gives what this process has logged about a job.
func (s *peerServer) GetLogs(_ context.Context, r *lockstepv1.GetLogsRequest) (*lockstepv1.GetLogsResponse, error) {
	lines, last := s.w.logs.After(r.Job, r.After)
	out := &lockstepv1.GetLogsResponse{Last: last}
	for _, l := range lines {
		out.Lines = append(out.Lines, &lockstepv1.LogLine{TimeNs: l.Time.UnixNano(), Source: s.w.name(), Level: l.Level.String(), Message: l.Message, Attributes: l.Attributes})
	}
	return out, nil
}
