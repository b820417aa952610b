package coord

import (
	"errors"
	"io"
	"slices"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestLogsOfAllCoordinators: any coordinator gathers the lines about a job of all that answer, in order of time. A worker
// that is gone does not keep the others' back.
func TestLogsOfAllCoordinators(t *testing.T) {
	q := newQuorum(t)
	j := q.jobWithCheckpoints() // its worker is not there
	for i, n := range q.nodes {
		n.log.Info("noticed", "job", j.Id, "i", i)
		n.log.Info("of another", "job", "x")
	}
	stream, err := q.clients[1].WatchLogs(q.context(), &lockstepv1.WatchLogsRequest{Job: j.Id})
	var from []string
	for err == nil {
		var l *lockstepv1.LogLine
		if l, err = stream.Recv(); err == nil && l.Message == "noticed" {
			from = append(from, l.Source)
		}
	}
	if !errors.Is(err, io.EOF) || !slices.Equal(from, []string{"c0", "c1", "c2"}) {
		t.Errorf("lines of %v, %v", from, err)
	}
}
