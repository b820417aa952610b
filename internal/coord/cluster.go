package coord

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// announce makes this coordinator's addresses known to the cluster, again whenever they are not what the state says.
func (n *Node) announce() {
	me := &lockstepv1.Coordinator{Id: n.cfg.ID, Address: n.cfg.Advertise, HttpAddress: n.cfg.HTTP, NatsUrl: n.cfg.NATSURL}
	for {
		var known *lockstepv1.Coordinator
		changed := n.fsm.read(func(s *job.State) { known = s.Coordinator(me.Id) })
		if known.GetAddress() != me.Address || known.GetHttpAddress() != me.HttpAddress || known.GetNatsUrl() != me.NatsUrl {
			n.announceOnce(me)
		}
		select {
		case <-n.ctx.Done():
			return
		case <-changed:
		case <-n.clock():
		}
	}
}

// announceOnce tries once: a leader proposes, a follower asks the leader to.
func (n *Node) announceOnce(me *lockstepv1.Coordinator) {
	ctx, cancel := context.WithTimeout(n.ctx, probeTimeout)
	defer cancel()
	if n.raft.State() == raft.Leader {
		// A failure shows in the state, which is looked at again.
		_, _ = n.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_SetCoordinator{
			SetCoordinator: &lockstepv1.SetCoordinator{Coordinator: me}}})
		return
	}
	if conn, err := n.peers.leader(); err == nil {
		_, _ = lockstepv1.NewClusterClient(conn).Announce(ctx, &lockstepv1.AnnounceRequest{Coordinator: me})
	}
}

// clock ticks for those who look at things that no change announces.
func (n *Node) clock() <-chan time.Time { return time.After(clockEvery) }

const clockEvery = 500 * time.Millisecond

// isolated reports whether this follower has been without its leader for as long as a lease: then it sends its clients
// elsewhere. One that has just started has not been without it for longer than it is there.
func (n *Node) isolated() bool {
	heard := n.raft.LastContact()
	if heard.Before(n.opened) {
		heard = n.opened
	}
	return n.raft.State() != raft.Leader && time.Since(heard) > n.cfg.Lease
}

// Campaign makes this coordinator stand for election at once, where it would otherwise wait for the leader's silence.
// LastIndex tells which of several can win: the one whose log is the longest.
func (n *Node) Campaign() error {
	id := raft.ServerID(n.cfg.ID)
	address, err := addressBook(n.cfg.Bootstrap).ServerAddr(id)
	if err != nil {
		return fmt.Errorf("campaign: %w", err)
	}
	now := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}
	if err := n.transport.TimeoutNow(id, address, now, &raft.TimeoutNowResponse{}); err != nil {
		return fmt.Errorf("campaign: %w", err)
	}
	return nil
}

// LastIndex is the index of the last entry in this coordinator's log, committed or not.
func (n *Node) LastIndex() uint64 { return n.raft.LastIndex() }

type clusterServer struct {
	lockstepv1.UnimplementedClusterServer
	*Node
}

// Announce is how a follower makes its addresses known.
func (s *clusterServer) Announce(ctx context.Context, r *lockstepv1.AnnounceRequest) (*lockstepv1.AnnounceResponse, error) {
	_, err := s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_SetCoordinator{
		SetCoordinator: &lockstepv1.SetCoordinator{Coordinator: r.Coordinator}}})
	return &lockstepv1.AnnounceResponse{}, err
}

func (s *clusterServer) GetStatus(ctx context.Context, r *lockstepv1.GetStatusRequest) (*lockstepv1.ClusterStatus, error) {
	out := s.status()
	if r.Local {
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var g sync.WaitGroup
	for _, c := range out.Coordinators {
		if c.Coordinator.Id == s.cfg.ID {
			c.Reachable, c.AppliedIndex = true, out.AppliedIndex
			continue
		}
		g.Go(func() { s.look(ctx, c) })
	}
	g.Wait()
	return out, nil
}

// look fills in how another coordinator is.
func (n *Node) look(ctx context.Context, c *lockstepv1.CoordinatorStatus) {
	conn, err := n.peers.to(c.Coordinator.Id)
	if err != nil {
		return
	}
	r, err := lockstepv1.NewClusterClient(conn).GetStatus(ctx, &lockstepv1.GetStatusRequest{Local: true})
	if err != nil {
		return
	}
	c.Reachable, c.AppliedIndex = true, r.AppliedIndex
}

// status is the cluster as this replica sees it.
func (n *Node) status() *lockstepv1.ClusterStatus {
	_, leader := n.raft.LeaderWithID()
	out := &lockstepv1.ClusterStatus{
		Leader: string(leader), Term: n.raft.CurrentTerm(), CommitIndex: n.raft.CommitIndex(),
		AppliedIndex: n.raft.AppliedIndex(), AnsweredBy: n.cfg.ID, RefusedRequests: n.refused.Load(),
	}
	n.fsm.read(func(s *job.State) {
		out.Workers = uint32(len(s.Workers()))
		for _, j := range s.Jobs() {
			switch j.State {
			case lockstepv1.JobState_JOB_STATE_RUNNING:
				out.JobsRunning++
			case lockstepv1.JobState_JOB_STATE_PENDING, lockstepv1.JobState_JOB_STATE_RECOVERING:
				out.JobsPending++
			}
		}
		for _, b := range n.cfg.Bootstrap {
			c := s.Coordinator(b.ID)
			if c == nil {
				c = &lockstepv1.Coordinator{Id: b.ID}
			}
			role := "follower"
			if b.ID == string(leader) {
				role = "leader"
			}
			out.Coordinators = append(out.Coordinators, &lockstepv1.CoordinatorStatus{Coordinator: c, Role: role})
		}
	})
	return out
}

// Status is the cluster as this replica sees it.
func (n *Node) Status() *lockstepv1.ClusterStatus { return n.status() }

var errNotReady = errors.New("no leader is known at present")

// Ready reports whether this coordinator can serve: it knows of a leader and is not cut off from it.
func (n *Node) Ready() error {
	if _, id := n.raft.LeaderWithID(); id == "" || n.isolated() {
		return errNotReady
	}
	return nil
}

// Leads reports whether this coordinator leads and has opened its gate.
func (n *Node) Leads() bool { return n.lead.Load() != nil }
