package coord

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
	"lockstep/internal/job"
)

// hear renews a worker's lease.
func (l *leader) hear(worker string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard[worker] = time.Now()
}

// expireLeases removes the workers that have been silent for too long.
func (l *leader) expireLeases() {
	var lost []string
	l.mu.Lock()
	l.fsm.read(func(s *job.State) {
		for _, w := range s.Workers() {
			at, ok := l.heard[w.Id]
			if !ok {
				l.heard[w.Id] = time.Now()
			} else if time.Since(at) > l.cfg.Lease {
				lost = append(lost, w.Id)
			}
		}
	})
	l.mu.Unlock()
	for _, w := range lost {
		l.remove(w, fmt.Sprintf("was not heard of for %v", l.cfg.Lease))
	}
}

// remove takes a worker out of the cluster; its job gets a new generation from the next look around.
func (l *leader) remove(worker, reason string) {
	l.blameLoss(worker, reason, false)
	c := &lockstepv1.RemoveWorker{Worker: worker, Reason: reason, Lost: true}
	_, err := l.propose(l.ctx, &lockstepv1.Command{Op: &lockstepv1.Command_RemoveWorker{RemoveWorker: c}})
	if err != nil && status.Code(err) != codes.NotFound {
		l.log.Info("worker was not removed", "worker", worker, "error", err)
		return
	}
	l.log.Info("worker is gone", "worker", worker, "reason", reason)
	l.mu.Lock()
	delete(l.heard, worker)
	delete(l.speeds, worker)
	l.mu.Unlock()
}

// probeTimeout bounds one probe. A worker that does not answer in it may be slow: its lease decides.
const probeTimeout = time.Second

// suspect looks whether a worker is there, and removes it if its process is not. It reports whether it was removed.
func (l *leader) suspect(worker, why string) bool {
	var w *lockstepv1.Worker
	l.fsm.read(func(s *job.State) { w = s.Worker(worker) })
	if w == nil || !l.gone(w) {
		return false
	}
	l.remove(worker, why)
	return true
}

// probeAgain is how soon a probe that says nothing is repeated: a process that ends may reset its streams before its
// address refuses.
const probeAgain = 20 * time.Millisecond

// gone reports whether nothing listens at the worker's address any more, or another process than the worker. A worker
// that does not answer in time may be slow.
func (l *leader) gone(w *lockstepv1.Worker) bool {
	ctx, cancel := context.WithTimeout(l.ctx, probeTimeout)
	defer cancel()
	for {
		if gone, sure := l.probe(ctx, w); sure {
			return gone
		}
		select {
		case <-time.After(probeAgain):
		case <-ctx.Done():
			return false
		}
	}
}

// probe asks once who is at the worker's address.
func (n *Node) probe(ctx context.Context, w *lockstepv1.Worker) (gone, sure bool) {
	var refused atomic.Bool
	conn, err := grpc.NewClient("passthrough:///"+w.Address, grpc.WithTransportCredentials(certs.ClientCredentials(n.cfg.TLS, certs.Worker)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			refused.Store(errors.Is(err, syscall.ECONNREFUSED))
			return c, err
		}))
	if err != nil {
		return false, true
	}
	defer conn.Close()
	reply, err := lockstepv1.NewPeerClient(conn).Ping(ctx, &lockstepv1.PingRequest{})
	if err != nil {
		return refused.Load(), refused.Load()
	}
	return reply.Worker != w.Id, true
}

// probesAtOnce bounds how many workers a new leader probes at a time.
const probesAtOnce = 32

// lookForAll probes all workers that are registered: those that ended while nobody led need not be waited for.
func (l *leader) lookForAll() {
	var all []*lockstepv1.Worker
	l.fsm.read(func(s *job.State) { all = s.Workers() })
	var g errgroup.Group
	g.SetLimit(probesAtOnce)
	for _, w := range all {
		g.Go(func() error {
			if l.suspect(w.Id, "its process had ended before this leader came") {
				l.wake()
			}
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
}
