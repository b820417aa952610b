package embed

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/telemetry"
)

// spans is an OTLP collector that remembers.
type spans struct {
	collector.UnimplementedTraceServiceServer
	mu   sync.Mutex
	byID map[string]*tracepb.Span // under mu
}

func (s *spans) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range r.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				s.byID[hex.EncodeToString(span.SpanId)] = span
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// path is a span's name and those of the spans that it is a part of, as far as they are known.
func (s *spans) path(span *tracepb.Span) (names []string) {
	for ; span != nil; span = s.byID[hex.EncodeToString(span.ParentSpanId)] {
		names = append(names, span.Name)
	}
	return names
}

// has reports whether some span has this name, and is a part, however far, of one of that name.
func (s *spans) has(name, within string) bool {
	for _, span := range s.byID {
		names := s.path(span)
		for _, n := range names[1:] {
			if names[0] == name && n == within {
				return true
			}
		}
	}
	return false
}

// TestTraces has a job train until it has stored checkpoints: what a worker asks of coordinators for a generation and
// for a checkpoint is a part of their spans, over the wire too. Steps and signs of life have none.
func TestTraces(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := &spans{byID: map[string]*tracepb.Span{}}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, got)
	go server.Serve(l)
	defer server.Stop()
	traces, closeTraces, err := telemetry.OpenTraces(ctx, "http://"+l.Addr().String(), "test", "here", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Start(ctx, Config{DataDir: t.TempDir(), Coordinators: 1, Workers: 2, Cores: 1, Telemetry: telemetry.Source{Traces: traces}})
	if err != nil {
		t.Fatal(err)
	}
	trainToCheckpoint(t, ctx, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := closeTraces(); err != nil {
		t.Fatal(err)
	}

	got.mu.Lock()
	defer got.mu.Unlock()
	for _, want := range [][2]string{
		{"lockstep.generation.form", "lockstep.generation"},
		{"lockstep.checkpoint", "lockstep.generation"},
		{"lockstep.v1.Workers/Join", "lockstep.generation.form"},
		{"lockstep.v1.Chunks/PutChunk", "lockstep.checkpoint"},
		{"lockstep.v1.Workers/ReportCheckpoint", "lockstep.checkpoint"},
		{"lockstep.v1.Chunks/PutChunk", "lockstep.v1.Chunks/PutChunk"}, // the server's within the client's
	} {
		if !got.has(want[0], want[1]) {
			t.Errorf("no span %s is a part of %s", want[0], want[1])
		}
	}
	submitted := false
	for _, span := range got.byID {
		submitted = submitted || span.Name == "lockstep.v1.Jobs/SubmitJob"
		if span.Name == "lockstep.v1.Workers/Heartbeat" {
			t.Error("heartbeats have spans")
		}
	}
	if !submitted {
		t.Error("SubmitJob has no span")
	}
	t.Logf("%d spans", len(got.byID))
}

// trainToCheckpoint submits a job, cancels it once it has a checkpoint, and waits until the workers are free.
func trainToCheckpoint(t *testing.T, ctx context.Context, c *Cluster) {
	t.Helper()
	cl, err := client.Dial(c.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	j := submit(t, ctx, cl)
	for len(j.Checkpoints) == 0 {
		if j, err = cl.GetJob(ctx, &lockstepv1.GetJobRequest{Job: j.Id}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cl.CancelJob(ctx, &lockstepv1.CancelJobRequest{Job: j.Id}); err != nil {
		t.Fatal(err)
	}
}
