package coord

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc/backoff"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

var fastBackoff = backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}

var errDeposed = errors.New("coordinator is no longer the leader")

// tick is how often the leader looks at what no event announces: leases that run out.
const tick = 100 * time.Millisecond

// leader is one term of leadership and what only a leader knows.
type leader struct {
	*Node
	ctx    context.Context
	kick   chan struct{} // wakes the loop
	mu     sync.Mutex
	heard  map[string]time.Time // when a worker was last heard of; under mu
	joins  map[string]*joining  // by job: the generation that forms; under mu
	faults map[string]*breaker  // by job: how often its ring broke lately; under mu

	poison *poison          // what may have cost workers; under mu
	speeds map[string]speed // by worker: what it last measured; under mu

	examining sync.Mutex // held while a checkpoint is read
}

// followLeadership runs a leader while raft says that this replica leads.
func (n *Node) followLeadership() {
	stop := func() {}
	defer func() { stop() }()
	for {
		select {
		case leads := <-n.elects:
			stop()
			stop = func() {}
			if leads {
				stop = n.beginTerm()
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// beginTerm starts a term of leadership. What it returns ends the term and waits until nothing of it is under way.
func (n *Node) beginTerm() (stop func()) {
	ctx, cancel := context.WithCancelCause(n.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.runLeader(ctx)
	}()
	return func() {
		cancel(errDeposed)
		<-done
	}
}

// runLeader is one term: catch up, rebuild what is volatile, open the gate, work, close the gate. A term whose
// beginning fails begins again: raft would not tell twice that this replica leads.
func (n *Node) runLeader(ctx context.Context) {
	for ctx.Err() == nil {
		l, err := n.establish(ctx)
		if err != nil {
			n.log.Info("term did not begin", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(tick):
			}
			continue
		}
		n.lead.Store(l)
		var beside sync.WaitGroup
		beside.Go(func() { l.publishEvents(ctx) })
		beside.Go(l.lookForAll)
		l.loop()
		n.lead.Store(nil)
		beside.Wait()
	}
}

// establish makes this replica ready to lead: everything that was committed before is applied here, all workers have a
// fresh lease, and the cluster knows who leads.
func (n *Node) establish(ctx context.Context) (*leader, error) {
	if err := n.raft.Barrier(applyTimeout).Error(); err != nil {
		return nil, fmt.Errorf("barrier: %w", err)
	}
	l := &leader{
		Node: n, ctx: ctx, kick: make(chan struct{}, 1),
		heard: map[string]time.Time{}, joins: map[string]*joining{}, faults: map[string]*breaker{}, speeds: map[string]speed{}, poison: newPoison(),
	}
	n.fsm.read(func(s *job.State) {
		for _, w := range s.Workers() {
			l.heard[w.Id] = time.Now()
		}
	})
	elect := &lockstepv1.Elect{Coordinator: n.cfg.ID, Term: n.raft.CurrentTerm()}
	if _, err := n.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_Elect{Elect: elect}}); err != nil {
		return nil, fmt.Errorf("announce leader: %w", err)
	}
	n.log.Info("leads the cluster", "term", elect.Term)
	return l, nil
}

// loop reconciles after every change and tick.
func (l *leader) loop() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		changed := l.fsm.read(func(*job.State) {})
		l.reconcile()
		select {
		case <-l.ctx.Done():
			return
		case <-changed:
		case <-l.kick:
		case <-t.C:
		}
	}
}

// wake makes the loop look again soon.
func (l *leader) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// reconcile takes the cluster one step from what it is to what it should be.
func (l *leader) reconcile() {
	l.expireLeases()
	for _, c := range l.decide() {
		if _, err := l.propose(l.ctx, c); err != nil {
			l.log.Info("command was refused", "command", c.Op, "error", err)
			return
		}
		if f := c.GetFormGeneration(); f != nil {
			l.log.Info("generation formed", "job", f.Job, "members", len(f.Members), "cause", f.Cause)
		}
	}
	l.startGenerations()
}

// decide asks the scheduler.
func (l *leader) decide() []*lockstepv1.Command {
	v := l.view()
	var cmds []*lockstepv1.Command
	l.fsm.read(func(s *job.State) { cmds = schedule(s, v) })
	return cmds
}

// view is what the scheduler looks at now.
func (l *leader) view() view {
	v := view{now: time.Now(), hold: map[string]bool{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, b := range l.faults {
		v.hold[id] = b.holds(v.now)
	}
	v.rebuild = l.rebuilds()
	v.speeds = maps.Clone(l.speeds)
	return v
}
