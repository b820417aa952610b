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
	"lockstep/internal/client"
	"lockstep/internal/job"
)

// authority issues certificates of one authority.
func authority(t *testing.T) func(identity string) certs.Source {
	f := certs.Folder{Dir: t.TempDir(), Keep: true, Validity: 365 * 24 * time.Hour}
	if _, err := f.Init("test"); err != nil {
		t.Fatal(err)
	}
	return sourceOf(t, f)
}

// sourceOf issues certificates of an authority that is kept in a folder.
func sourceOf(t *testing.T, f certs.Folder) func(identity string) certs.Source {
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

// TestAWorkerReportsForItsJob: what is said about a job's generation is believed of its members alone.
func TestAWorkerReportsForItsJob(t *testing.T) {
	source := authority(t)
	q := newQuorumWith(t, source)
	member := dialAs(t, q.nodes[0], source("worker/w"))
	j, err := q.clients[0].SubmitJob(q.context(), &lockstepv1.SubmitJobRequest{RequestId: "j", Spec: testSpec(t)})
	if err != nil {
		t.Fatal(err)
	}
	// atWork is the job's generation with the member in it, which is registered again whenever its lease has run out.
	atWork := func() uint64 {
		for ctx := q.context(); ctx.Err() == nil; {
			if _, err := member.Heartbeat(ctx, &lockstepv1.HeartbeatRequest{Worker: "w-1"}); status.Code(err) == codes.NotFound {
				_, err = member.Register(ctx, &lockstepv1.RegisterRequest{Worker: &lockstepv1.Worker{Id: "w-1", Address: "127.0.0.1:1", Cores: 1}})
				if err != nil {
					t.Fatal(err)
				}
			}
			now, err := q.clients[0].GetJob(ctx, &lockstepv1.GetJobRequest{Job: j.Id})
			if err != nil {
				t.Fatal(err)
			}
			if now.State == lockstepv1.JobState_JOB_STATE_RUNNING && len(now.Generation.GetMembers()) == 1 {
				return now.Generation.Number
			}
			if job.Ended(now.State) {
				t.Fatalf("the job has ended: %s", now.Reason)
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		t.Fatal("the job has no generation")
		return 0
	}
	calls := func(c *client.Client) map[string]func(context.Context, uint64) error {
		progress := &lockstepv1.Progress{Step: 1}
		return map[string]func(context.Context, uint64) error{
			"ReportProgress": func(ctx context.Context, g uint64) error {
				_, err := c.ReportProgress(ctx, &lockstepv1.ReportProgressRequest{Job: j.Id, Generation: g, Progress: progress})
				return err
			},
			"ReportCheckpoint": func(ctx context.Context, g uint64) error {
				_, err := c.ReportCheckpoint(ctx, &lockstepv1.ReportCheckpointRequest{Job: j.Id, Generation: g, Checkpoint: &lockstepv1.Checkpoint{}})
				return err
			},
			"ReportFault": func(ctx context.Context, g uint64) error {
				_, err := c.ReportFault(ctx, &lockstepv1.ReportFaultRequest{Job: j.Id, Generation: g, Suspect: "w-1"})
				return err
			},
			"Alert": func(ctx context.Context, _ uint64) error {
				_, err := c.Alert(ctx, &lockstepv1.AlertRequest{Job: j.Id, Reason: "nonsense"})
				return err
			},
			"Fail": func(ctx context.Context, g uint64) error {
				_, err := c.Fail(ctx, &lockstepv1.FailRequest{Job: j.Id, Generation: g, Reason: "nonsense"})
				return err
			},
			"Finish": func(ctx context.Context, g uint64) error {
				_, err := c.Finish(ctx, &lockstepv1.FinishRequest{Job: j.Id, Generation: g, ModelDigest: "sha256:00", Progress: progress})
				return err
			},
		}
	}
	for _, n := range q.nodes {
		other := dialAs(t, n, source("worker/other"))
		for name, call := range calls(other) {
			err := call(q.context(), atWork())
			for status.Code(err) == codes.Aborted { // the member's lease ran out
				err = call(q.context(), atWork())
			}
			if status.Code(err) != codes.PermissionDenied {
				t.Errorf("%s at %s, of no member: %v", name, n.cfg.ID, err)
			}
		}
	}
	own := calls(member)
	for _, name := range []string{"ReportProgress", "ReportCheckpoint", "Alert", "Finish"} {
		if err := own[name](q.context(), atWork()); status.Code(err) == codes.PermissionDenied {
			t.Errorf("%s of a member: %v", name, err)
		}
	}
}
