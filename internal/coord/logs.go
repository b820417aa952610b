package coord

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
	"lockstep/internal/job"
)

// GetLogs gives what this coordinator has logged about a job.
func (s *clusterServer) GetLogs(_ context.Context, r *lockstepv1.GetLogsRequest) (*lockstepv1.GetLogsResponse, error) {
	lines, last := s.jobLogs.After(r.Job, r.After)
	out := &lockstepv1.GetLogsResponse{Last: last}
	for _, l := range lines {
		out.Lines = append(out.Lines, &lockstepv1.LogLine{TimeNs: l.Time.UnixNano(), Source: s.cfg.ID, Level: l.Level.String(), Message: l.Message, Attributes: l.Attributes})
	}
	return out, nil
}

const (
	logsTimeout = 2 * time.Second // that one process has to answer
	logsAtOnce  = 16              // processes asked at a time
)

// WatchLogs sends the lines about a job of all processes that answer, in order of time; those who are gone have taken
// theirs along. Following, it looks again every half a second, until the job has ended.
func (s *jobsServer) WatchLogs(r *lockstepv1.WatchLogsRequest, stream grpc.ServerStreamingServer[lockstepv1.LogLine]) error {
	j, err := s.seek(stream.Context(), r.Job)
	if err != nil {
		return err
	}
	seen := map[string]uint64{} // by process: the number of the last line
	for first := true; ; first = false {
		over := !r.Follow
		s.fsm.read(func(st *job.State) { over = over || st.Job(j.Id) == nil || job.Ended(st.Job(j.Id).State) })
		lines := s.gatherLogs(stream.Context(), j.Id, seen)
		if first && r.Tail > 0 {
			lines = lines[max(0, len(lines)-int(r.Tail)):]
		}
		for _, l := range lines {
			if err := stream.Send(l); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
		if err := s.wait(stream.Context(), afterClock(s.Node)); err != nil {
			return err
		}
	}
}

// afterClock is closed at the next tick of a node's clock.
func afterClock(n *Node) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(clockEvery, func() { close(c) })
	return c
}

// gatherLogs asks every process for its new lines, and returns them in order of time.
func (n *Node) gatherLogs(ctx context.Context, id string, seen map[string]uint64) (lines []*lockstepv1.LogLine) {
	var mu sync.Mutex
	var g sync.WaitGroup
	slots := make(chan struct{}, logsAtOnce)
	ask := func(process string, get func(context.Context, *lockstepv1.GetLogsRequest) (*lockstepv1.GetLogsResponse, error)) {
		g.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, logsTimeout)
			defer cancel()
			mu.Lock()
			after := seen[process]
			mu.Unlock()
			r, err := get(ctx, &lockstepv1.GetLogsRequest{Job: id, After: after})
			if err != nil {
				return // it is gone, or busy: what it has comes with the next look
			}
			mu.Lock()
			defer mu.Unlock()
			seen[process] = r.Last
			lines = append(lines, r.Lines...)
		})
	}
	ask(n.cfg.ID, (&clusterServer{Node: n}).GetLogs)
	for _, other := range n.peers.others() {
		ask(other, func(ctx context.Context, r *lockstepv1.GetLogsRequest) (*lockstepv1.GetLogsResponse, error) {
			conn, err := n.peers.to(other)
			if err != nil {
				return nil, err
			}
			return lockstepv1.NewClusterClient(conn).GetLogs(ctx, r)
		})
	}
	var workers []*lockstepv1.Worker
	n.fsm.read(func(st *job.State) { workers = st.Workers() })
	for _, w := range workers {
		ask(w.Id, func(ctx context.Context, r *lockstepv1.GetLogsRequest) (*lockstepv1.GetLogsResponse, error) {
			conn, err := grpc.NewClient("passthrough:///"+w.Address, grpc.WithTransportCredentials(certs.ClientCredentials(n.cfg.TLS, certs.Worker)))
			if err != nil {
				return nil, err
			}
			defer conn.Close()
			return lockstepv1.NewPeerClient(conn).GetLogs(ctx, r)
		})
	}
	g.Wait()
	slices.SortStableFunc(lines, func(a, b *lockstepv1.LogLine) int { return int(a.TimeNs - b.TimeNs) })
	return lines
}
