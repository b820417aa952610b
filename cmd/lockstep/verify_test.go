package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/embed"
	"lockstep/internal/job"
	"lockstep/internal/ledger"
	"lockstep/internal/spec"
)

// kept is a job that was trained, as coordinators keep it: a test may change what they would not.
type kept struct {
	lockstepv1.UnimplementedJobsServer
	lockstepv1.UnimplementedChunksServer
	job    *lockstepv1.Job
	ledger *lockstepv1.Ledger
	chunks map[string][]byte
}

func (k *kept) GetJob(context.Context, *lockstepv1.GetJobRequest) (*lockstepv1.Job, error) {
	return k.job, nil
}

func (k *kept) GetLedger(context.Context, *lockstepv1.GetJobRequest) (*lockstepv1.Ledger, error) {
	return k.ledger, nil
}

func (k *kept) GetChunk(_ context.Context, r *lockstepv1.GetChunkRequest) (*lockstepv1.GetChunkResponse, error) {
	if data := k.chunks[string(r.Hash)]; data != nil {
		return &lockstepv1.GetChunkResponse{Data: data}, nil
	}
	return nil, status.Error(codes.NotFound, "no such chunk")
}

func (k *kept) clone() *kept {
	c := &kept{job: proto.CloneOf(k.job), ledger: proto.CloneOf(k.ledger), chunks: map[string][]byte{}}
	for h, b := range k.chunks {
		c.chunks[h] = append([]byte(nil), b...)
	}
	return c
}

// serve makes this coordinator the one that commands speak to.
func (k *kept) serve(t *testing.T) {
	t.Helper()
	noEnvironment(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	lockstepv1.RegisterJobsServer(s, k)
	lockstepv1.RegisterChunksServer(s, k)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	t.Setenv("LOCKSTEP_ADDR", l.Addr().String())
}

// trained trains iris on two workers and keeps what is left.
func trained(t *testing.T) *kept {
	t.Helper()
	c, err := embed.Start(t.Context(), embed.Config{Coordinators: 1, Workers: 2, DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := client.Dial(c.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	s, err := spec.Load("../../examples/iris.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.Spec.Training.Epochs, s.Spec.Checkpoint.Every = 20, spec.Interval{Steps: 50}
	j, err := cl.SubmitJob(t.Context(), &lockstepv1.SubmitJobRequest{RequestId: "x", Spec: s.Canonical()})
	if err != nil {
		t.Fatal(err)
	}
	if j, err = watch(t.Context(), cl, j.Id, func(*lockstepv1.Job) {}, func(error) {}); err != nil || job.StateName(j.State) != "SUCCEEDED" {
		t.Fatalf("job ended as %v, %v", j, err)
	}
	k := &kept{job: j, chunks: map[string][]byte{}}
	if k.ledger, err = cl.GetLedger(t.Context(), &lockstepv1.GetJobRequest{Job: j.Id}); err != nil {
		t.Fatal(err)
	}
	for _, ck := range j.Checkpoints {
		for _, h := range ck.Chunks {
			r, err := cl.GetChunk(t.Context(), &lockstepv1.GetChunkRequest{Hash: h})
			if err != nil {
				t.Fatal(err)
			}
			k.chunks[string(h)] = r.Data
		}
	}
	return k
}

// TestVerify trains a job of 160 steps with checkpoints at steps 50, 100, 150 and 160, of which three are kept.
func TestVerify(t *testing.T) {
	whole := trained(t)
	t.Run("whole", func(t *testing.T) {
		whole.serve(t)
		command(t, "job", "verify", "iris").want(t, 0, []string{"10 records to step 160", "each of 120 exactly once in each of 20 epochs of 8 steps",
			whole.job.ModelDigest, fmt.Sprintf("checkpoint %s@160", whole.job.Id)}, nil)
		for workers, detail := range map[string]string{"1": "steps 1 to 160, computed again by 1, give the same 10 records", "3": "computed again by 3"} {
			command(t, "job", "verify", "iris", "--replay", "1..160", "--workers", workers).want(t, 0, []string{detail}, nil)
		}
		command(t, "job", "verify", "iris", "--replay", "110..111").want(t, 0, []string{"steps 101 to 112, computed again by 1, give the same 1 records"}, nil)
		command(t, "job", "verify", "iris", "-o", "json").want(t, 0, []string{`"verified": true`}, nil)
		command(t, "job", "verify", "iris", "--replay", "110..161").want(t, codeUsage, nil, []string{"out of range"})
		command(t, "job", "verify", "iris", "--replay", "9..1").want(t, codeUsage, nil, []string{"FROM..TO"})
	})
	for _, c := range []struct {
		name   string
		change func(*kept)
		args   []string
		finds  string
	}{
		{"a digest", func(k *kept) { k.ledger.Chain[3].Digest[5] ^= 1 }, nil, "chain: ledger does not hold together: the record of step 80"},
		{"a loss", func(k *kept) { k.ledger.Chain[0].Loss += 1e-15 }, nil, "chain: ledger does not hold together: the record of step 32"},
		{"a record left out", func(k *kept) { k.ledger.Chain = append(k.ledger.Chain[:2:2], k.ledger.Chain[3:]...) }, nil, "chain: ledger"},
		{"the end left out", func(k *kept) { k.ledger.Chain = k.ledger.Chain[:9] }, nil, "order: the last record is of step 144, the job ended at step 160"},
		{"all rewritten", func(k *kept) { rewrite(k.ledger) }, nil, "@160: its ledger"},
		{"the head", func(k *kept) { k.job.LedgerHead[0] ^= 1 }, nil, "chain: its head is"},
		{"the data", func(k *kept) { k.ledger.Fingerprint[0] ^= 1 }, nil, "chain: ledger does not hold together: the record of step 16"},
		{"the number of records", func(k *kept) { k.ledger.Records++ }, nil, "chain: ledger does not hold together"},
		{"the specification", func(k *kept) { k.job.Spec = []byte(strings.Replace(string(k.job.Spec), `"seed":42`, `"seed":43`, 1)) }, nil, "specification: its hash"},
		{"a chunk", func(k *kept) {
			for _, b := range k.chunks {
				b[len(b)/2] ^= 1
			}
		}, nil, "corrupt"},
		{"the result", func(k *kept) { k.job.ModelDigest = "sha256:00" }, nil, "result: the model of step 160 has digest"},
		{"all rewritten, replayed", func(k *kept) { rewrite(k.ledger) }, []string{"--replay", "100..120"}, "replay 100..120: at step 64 it gives epoch 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := whole.clone()
			c.change(k)
			k.serve(t)
			command(t, append([]string{"job", "verify", "iris"}, c.args...)...).want(t, codeUnverified, []string{"no "}, []string{c.finds})
		})
	}
}

// rewrite changes a step in the past and makes the chain hold together again.
func rewrite(l *lockstepv1.Ledger) {
	l.Chain[3].Digest[0] ^= 1
	relink(l)
}

// relink gives every record the hash of the one before it.
func relink(l *lockstepv1.Ledger) {
	for i, r := range l.Chain {
		e := ledger.Record{Step: r.Step, Epoch: r.Epoch, Loss: r.Loss, Digest: [32]byte(r.Digest), Prev: [32]byte(r.Prev)}
		if i > 0 {
			e.Prev = [32]byte(l.Chain[i-1].Hash)
		}
		h := e.Hash()
		r.Prev, r.Hash = e.Prev[:], h[:]
	}
}
