package coord

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
	"lockstep/internal/ckpt"
	"lockstep/internal/client"
	"lockstep/internal/spec"
)

const patience = 2 * time.Minute

// quorum is three coordinators in this process, over loopback TCP.
type quorum struct {
	t       *testing.T
	nodes   []*Node
	clients []*client.Client // of each node alone
}

func newQuorum(t *testing.T) *quorum {
	t.Helper()
	return newQuorumWith(t, func(string) certs.Source { return nil })
}

// newQuorumWith gives the coordinators, and the clients as admin/admin, certificates.
func newQuorumWith(t *testing.T, source func(identity string) certs.Source) *quorum {
	t.Helper()
	q := &quorum{t: t}
	var servers []Server
	var grpcs, rafts []net.Listener
	for i := range 3 {
		grpcs, rafts = append(grpcs, loopback(t)), append(rafts, loopback(t))
		servers = append(servers, Server{ID: fmt.Sprintf("c%d", i), Address: rafts[i].Addr().String()})
	}
	dir := t.TempDir()
	for i, s := range servers {
		n, err := Open(Config{ID: s.ID, DataDir: filepath.Join(dir, s.ID), Advertise: grpcs[i].Addr().String(),
			RaftAdvertise: s.Address, GRPCListener: grpcs[i], RaftListener: rafts[i], Bootstrap: servers,
			TLS: source("coordinator/" + s.ID), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		q.nodes, q.clients = append(q.nodes, n), append(q.clients, dialAs(t, n, source("admin/admin")))
	}
	applied := q.nodes[q.leader()].raft.AppliedIndex()
	for _, n := range q.nodes { // now all know one another's addresses
		if err := n.fsm.waitIndex(q.context(), applied); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

func dialAs(t *testing.T, n *Node, source certs.Source) *client.Client {
	t.Helper()
	c, err := client.Dial([]string{n.cfg.Advertise}, grpc.WithTransportCredentials(certs.ClientCredentials(source, certs.Coordinator)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (q *quorum) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	q.t.Cleanup(cancel)
	return ctx
}

// leader waits for a leader whose address the others know, and returns its number.
func (q *quorum) leader() int {
	ctx := q.context()
	for ctx.Err() == nil {
		for i, n := range q.nodes {
			if n.Leads() && len(knownTo(n)) == 3 {
				return i
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	q.t.Fatal("no leader")
	return 0
}

func knownTo(n *Node) []string {
	var out []string
	for _, c := range n.status().Coordinators {
		if c.Coordinator.Address != "" {
			out = append(out, c.Coordinator.Id)
		}
	}
	return out
}

func testSpec(t *testing.T) []byte {
	t.Helper()
	j, err := spec.Parse("test.yaml", []byte(`
apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: t}
spec:
  dataset: {format: csv, source: "file:///nowhere", train: {file: x.csv}, target: {column: y, type: category}}
  model: {layers: [{type: dense, units: 2}]}
  loss: {type: cross_entropy}
`))
	if err != nil {
		t.Fatal(err)
	}
	return j.Canonical()
}

func TestAnyCoordinatorTakesAJobAndShowsIt(t *testing.T) {
	q := newQuorum(t)
	for i, c := range q.clients {
		r := &lockstepv1.SubmitJobRequest{RequestId: fmt.Sprint("r", i), Spec: testSpec(t)}
		j, err := c.SubmitJob(q.context(), r)
		if err != nil {
			t.Fatalf("coordinator %d: %v", i, err)
		}
		again, err := c.SubmitJob(q.context(), r)
		if err != nil || again.Id != j.Id {
			t.Errorf("coordinator %d: a retry made job %v (%v), want %s", i, again, err, j.Id)
		}
		if got, err := c.GetJob(q.context(), &lockstepv1.GetJobRequest{Job: j.Id}); err != nil || got.Id != j.Id {
			t.Errorf("coordinator %d does not show the job that was given to it: %v", i, err)
		}
	}
	if err := q.nodes[0].fsm.waitIndex(q.context(), q.nodes[q.leader()].raft.AppliedIndex()); err != nil {
		t.Fatal(err)
	}
	all, err := q.clients[0].ListJobs(q.context(), &lockstepv1.ListJobsRequest{})
	if err != nil || len(all.Jobs) != 3 {
		t.Errorf("%d jobs (%v), want 3", len(all.GetJobs()), err)
	}
}

func TestAClientReadsWhatItWroteElsewhere(t *testing.T) {
	q := newQuorum(t)
	var all []string
	for _, n := range q.nodes {
		all = append(all, n.cfg.Advertise)
	}
	c, err := client.Dial(all)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 30 { // consecutive calls go to different coordinators
		j, err := c.SubmitJob(q.context(), &lockstepv1.SubmitJobRequest{RequestId: fmt.Sprint(i), Spec: testSpec(t)})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := c.WatchJob(q.context(), &lockstepv1.GetJobRequest{Job: j.Id}) // whoever is asked answers from its own copy
		if err == nil {
			_, err = stream.Recv()
		}
		if err != nil {
			t.Fatalf("job %d is not there for the client that submitted it: %v", i, err)
		}
	}
}

// TestAnAssignmentTellsItsIndex: a worker that has one goes to no replica that is behind it.
func TestAnAssignmentTellsItsIndex(t *testing.T) {
	q := newQuorum(t)
	for i, c := range q.clients {
		w := &lockstepv1.Worker{Id: fmt.Sprint("w-", i), Address: "127.0.0.1:1"}
		var header metadata.MD
		if _, err := c.Register(q.context(), &lockstepv1.RegisterRequest{Worker: w}, grpc.Header(&header)); err != nil {
			t.Fatal(err)
		}
		var a *lockstepv1.Assignment
		stream, err := c.WatchAssignment(q.context(), &lockstepv1.WatchAssignmentRequest{Worker: w.Id})
		if err == nil {
			a, err = stream.Recv()
		}
		if registered := client.Index(header); err != nil || registered == 0 || a.Index < registered {
			t.Errorf("registered at %d, assigned at %d: %v", registered, a.GetIndex(), err)
		}
	}
}

func TestLeadershipMoves(t *testing.T) {
	q := newQuorum(t)
	old := q.leader()
	j, err := q.clients[old].SubmitJob(q.context(), &lockstepv1.SubmitJobRequest{RequestId: "a", Spec: testSpec(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.nodes[old].Close(); err != nil {
		t.Fatal(err)
	}
	other := q.clients[(old+1)%3]
	if _, err := other.CancelJob(q.context(), &lockstepv1.CancelJobRequest{Job: j.Id, Reason: "test"}); err != nil {
		t.Fatalf("cancel after the leader went: %v", err)
	}
	got, err := other.GetJob(q.context(), &lockstepv1.GetJobRequest{Job: j.Id})
	if err != nil || got.State != lockstepv1.JobState_JOB_STATE_CANCELLED {
		t.Errorf("job is %v (%v), want cancelled", got.GetState(), err)
	}
}

func TestChunksAreReplicatedAndMended(t *testing.T) {
	q := newQuorum(t)
	data := bytes.Repeat([]byte("chunk"), 1000)
	put, err := q.clients[1].PutChunk(q.context(), &lockstepv1.PutChunkRequest{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	h := ckpt.HashOf(data)
	if !bytes.Equal(put.Hash, h[:]) {
		t.Fatalf("hash %x, want %x", put.Hash, h)
	}
	if missing, err := q.nodes[0].missing(q.context(), [][]byte{h[:]}); err != nil || len(missing) != 0 {
		t.Fatalf("missing %v (%v) after a put", missing, err)
	}
	if err := q.nodes[0].chunks.Delete(q.context(), h); err != nil {
		t.Fatal(err)
	}
	got, err := q.clients[0].GetChunk(q.context(), &lockstepv1.GetChunkRequest{Hash: h[:]})
	if err != nil || !bytes.Equal(got.Data, data) {
		t.Fatalf("chunk from a coordinator that lost it: %v", err)
	}
	if !q.nodes[0].chunks.Has(h) {
		t.Error("the coordinator that lost the chunk was not mended")
	}
	unknown := ckpt.HashOf([]byte("x"))
	if missing, err := q.nodes[0].missing(q.context(), [][]byte{h[:], unknown[:]}); err != nil || len(missing) != 1 || missing[0] != 1 {
		t.Errorf("missing %v (%v), want [1]", missing, err)
	}
}

func TestOldChunksAreCollectedFreshOnesKept(t *testing.T) {
	q := newQuorum(t)
	n := q.nodes[0]
	r, err := q.clients[0].PutChunk(q.context(), &lockstepv1.PutChunkRequest{Data: []byte("uncommitted")})
	if err != nil {
		t.Fatal(err)
	}
	h, err := ckpt.HashFrom(r.Hash)
	if err != nil {
		t.Fatal(err)
	}
	n.collectOnce(time.Now())
	if !n.chunks.Has(h) {
		t.Fatal("a chunk that is about to be committed was collected")
	}
	n.collectOnce(time.Now().Add(2 * graceTime))
	if n.chunks.Has(h) {
		t.Error("a chunk that nothing refers to was kept")
	}
}

// TestDiskSpaceComesBack: what deleted chunks took is the disk's again.
func TestDiskSpaceComesBack(t *testing.T) {
	n := newQuorum(t).nodes[0]
	size := func() int64 {
		st, err := n.chunks.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return st.FileBytes
	}
	data := make([]byte, ckpt.ChunkSize)
	for i := range worthCompacting / ckpt.ChunkSize * 5 / 4 {
		data[0] = byte(i)
		if _, err := n.chunks.Put(t.Context(), data); err != nil {
			t.Fatal(err)
		}
	}
	before := size()
	n.collectOnce(time.Now())
	if after := size(); after > before/4 {
		t.Errorf("the chunks' file has %d bytes; it had %d before all chunks were deleted", after, before)
	}
}

func TestBadRequestsAreRefusedAndCounted(t *testing.T) {
	q := newQuorum(t)
	c := q.clients[q.leader()]
	n := q.nodes[q.leader()]
	before := n.status()
	ctx := q.context()
	for _, r := range []struct {
		name string
		call func() error
		want codes.Code
	}{
		{"specification of junk", func() error {
			_, err := c.SubmitJob(ctx, &lockstepv1.SubmitJobRequest{Spec: []byte("{{")})
			return err
		}, codes.InvalidArgument},
		{"worker without a name", func() error {
			_, err := c.Register(ctx, &lockstepv1.RegisterRequest{})
			return err
		}, codes.InvalidArgument},
		{"heartbeat of a stranger", func() error {
			_, err := c.Heartbeat(ctx, &lockstepv1.HeartbeatRequest{Worker: "x"})
			return err
		}, codes.NotFound},
		{"join of an unknown job", func() error {
			_, err := c.Join(ctx, &lockstepv1.JoinRequest{Job: "x"})
			return err
		}, codes.NotFound},
		{"empty chunk", func() error {
			_, err := c.PutChunk(ctx, &lockstepv1.PutChunkRequest{})
			return err
		}, codes.InvalidArgument},
		{"chunk by a short hash", func() error {
			_, err := c.GetChunk(ctx, &lockstepv1.GetChunkRequest{Hash: []byte("x")})
			return err
		}, codes.InvalidArgument},
		{"progress without figures", func() error {
			_, err := c.ReportProgress(ctx, &lockstepv1.ReportProgressRequest{Job: "x"})
			return err
		}, codes.InvalidArgument},
		{"result without figures", func() error {
			_, err := c.Finish(ctx, &lockstepv1.FinishRequest{Job: "x"})
			return err
		}, codes.InvalidArgument},
		{"announcement of nobody", func() error {
			_, err := c.Announce(ctx, &lockstepv1.AnnounceRequest{})
			return err
		}, codes.InvalidArgument},
	} {
		if err := r.call(); status.Code(err) != r.want {
			t.Errorf("%s: %v, want %v", r.name, err, r.want)
		}
	}
	after := n.status()
	if after.RefusedRequests < before.RefusedRequests+9 {
		t.Errorf("%d requests counted as refused, want 9", after.RefusedRequests-before.RefusedRequests)
	}
	if after.Workers != 0 || after.JobsPending != 0 {
		t.Errorf("refused requests left %d workers and %d jobs", after.Workers, after.JobsPending)
	}
}

func TestHTTP(t *testing.T) {
	q := newQuorum(t)
	n := q.nodes[q.leader()]
	if _, err := q.clients[q.leader()].SubmitJob(q.context(), &lockstepv1.SubmitJobRequest{RequestId: "a", Spec: testSpec(t)}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		code       int
	}{
		{"/healthz", "ok", 200},
		{"/readyz", "ok", 200},
		{"/api/v1/jobs", `"state": "PENDING"`, 200},
		{"/api/v1/jobs/t", `"name": "t"`, 200},
		{"/api/v1/jobs/nope", "nope", 404},
		{"/api/v1/jobs/t/metrics", "[]", 200},
		{"/api/v1/jobs/t/events", "lockstep.job.state", 200},
		{"/api/v1/jobs/t/events?after=1000", "[]", 200},
		{"/api/v1/workers", "[]", 200},
		{"/api/v1/cluster", `"leader": "` + n.cfg.ID, 200},
		{"/", "<title>Lockstep</title>", 200},
		{"/app.js", "follow()", 200},
		{"/nope.js", "not found", 404},
	} {
		w := httptest.NewRecorder()
		n.routes().ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want %d and %q", c.path, w.Code, w.Body, c.code, c.want)
		}
	}
}

// TestHTTPChanges asks a coordinator that does not lead.
func TestHTTPChanges(t *testing.T) {
	q := newQuorum(t)
	n := q.nodes[(q.leader()+1)%3]
	post := func(path, body, origin string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		if origin != "" {
			r.Header.Set("Sec-Fetch-Site", origin)
		}
		w := httptest.NewRecorder()
		n.routes().ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		path, body, origin, want string
		code                     int
	}{
		{"/api/v1/jobs", string(testSpec(t)), "cross-site", "cross-origin", 403},
		{"/api/v1/jobs", "kind: TrainJob", "", "job.yaml", 400},
		{"/api/v1/jobs", strings.Repeat(" ", maxSpec+1), "", "too large", 413},
		{"/api/v1/jobs", string(testSpec(t)), "same-origin", `"state": "PENDING"`, 200},
		{"/api/v1/jobs/nope/cancel", "", "", "nope", 404},
		{"/api/v1/jobs/t/scale?min=2", "", "", "max", 400},
		{"/api/v1/jobs/t/scale?min=2&max=3", "", "", `"id": "t-`, 200},
		{"/api/v1/jobs/t/pause", "", "", `"id": "t-`, 200},
		{"/api/v1/jobs/t/resume", "", "", `"id": "t-`, 200},
		{"/api/v1/jobs/t/cancel", "", "", `"state": "CANCELLED"`, 200},
		{"/api/v1/jobs/t/cancel", "", "", "has ended", 409},
	} {
		if w := post(c.path, c.body, c.origin); w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want %d and %q", c.path, w.Code, w.Body, c.code, c.want)
		}
	}
}
