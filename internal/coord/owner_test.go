package coord

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
)

// authority issues certificates of one authority.
func authority(t *testing.T) func(identity string) certs.Source {
	f := certs.Folder{Dir: t.TempDir(), Keep: true, Validity: 365 * 24 * time.Hour}
	if _, err := f.Init("test"); err != nil {
		t.Fatal(err)
	}
	return func(identity string) certs.Source {
		who, err := certs.ParseIdentity(identity)
		if err != nil {
			t.Fatal(err)
		}
		dir, _, err := f.Issue(who)
		if err != nil {
			t.Fatal(err)
		}
		s, err := (&certs.Files{CA: filepath.Join(dir, certs.CAFile), Cert: filepath.Join(dir, certs.CertFile), Key: filepath.Join(dir, certs.KeyFile)}).Source(certs.Named)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// TestAWorkerSpeaksForItself: with a worker's certificate nothing can be said in another worker's name, whichever coordinator
// is asked.
func TestAWorkerSpeaksForItself(t *testing.T) {
	source := authority(t)
	q := newQuorumWith(t, source)
	w := &lockstepv1.Worker{Id: "w-1", Address: "127.0.0.1:1", Owner: "worker/other"}
	first := dialAs(t, q.nodes[0], source("worker/w"))
	// known makes the worker known and calls, again if its lease ran out meanwhile.
	known := func(call func(context.Context) error) error {
		for {
			if _, err := first.Register(q.context(), &lockstepv1.RegisterRequest{Worker: w}); err != nil {
				t.Fatal(err)
			}
			if err := call(q.context()); status.Code(err) != codes.NotFound {
				return err
			}
		}
	}
	for _, n := range q.nodes {
		if err := n.fsm.waitIndex(q.context(), q.nodes[q.leader()].raft.AppliedIndex()); err != nil {
			t.Fatal(err)
		}
		own, other := dialAs(t, n, source("worker/w")), dialAs(t, n, source("worker/other"))
		for name, call := range map[string]func(context.Context) error{
			"Register": func(ctx context.Context) error {
				_, err := other.Register(ctx, &lockstepv1.RegisterRequest{Worker: &lockstepv1.Worker{Id: w.Id, Address: "127.0.0.1:1", Owner: w.Owner}})
				return err
			},
			"Heartbeat": func(ctx context.Context) error {
				_, err := other.Heartbeat(ctx, &lockstepv1.HeartbeatRequest{Worker: w.Id})
				return err
			},
			"WatchAssignment": func(ctx context.Context) error {
				s, err := other.WatchAssignment(ctx, &lockstepv1.WatchAssignmentRequest{Worker: w.Id})
				if err == nil {
					_, err = s.Recv()
				}
				return err
			},
			"Join": func(ctx context.Context) error {
				_, err := other.Join(ctx, &lockstepv1.JoinRequest{Worker: w.Id})
				return err
			},
			"ReportFault": func(ctx context.Context) error {
				_, err := other.ReportFault(ctx, &lockstepv1.ReportFaultRequest{Worker: w.Id})
				return err
			},
			"Fail": func(ctx context.Context) error {
				_, err := other.Fail(ctx, &lockstepv1.FailRequest{Worker: w.Id})
				return err
			},
			"DrainWorker": func(ctx context.Context) error {
				_, err := other.DrainWorker(ctx, &lockstepv1.DrainWorkerRequest{Worker: w.Id, Draining: true})
				return err
			},
			"Leave": func(ctx context.Context) error {
				_, err := other.Leave(ctx, &lockstepv1.LeaveRequest{Worker: w.Id})
				return err
			},
		} {
			if err := known(call); status.Code(err) != codes.PermissionDenied {
				t.Errorf("%s at %s in another's name: %v", name, n.cfg.ID, err)
			}
		}
		if err := known(func(ctx context.Context) error {
			_, err := own.Heartbeat(ctx, &lockstepv1.HeartbeatRequest{Worker: w.Id})
			return err
		}); err != nil {
			t.Errorf("%s in its own name: %v", n.cfg.ID, err)
		}
	}
	if err := known(func(ctx context.Context) error {
		_, err := q.clients[0].DrainWorker(ctx, &lockstepv1.DrainWorkerRequest{Worker: w.Id, Draining: true})
		return err
	}); err != nil {
		t.Errorf("an administrator drains it: %v", err)
	}
}
