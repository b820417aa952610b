package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// closeTimeout bounds how long the end of a process waits for its last spans.
const closeTimeout = 3 * time.Second

// OpenTraces sends the spans of a program to an OTLP collector at endpoint, "http://host:4317" or, over TLS,
// "https://host:4317", in batches and behind what is measured. A collector that is away costs spans and nothing else.
func OpenTraces(ctx context.Context, endpoint, program, id string, log *slog.Logger) (*trace.TracerProvider, func() error, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, fmt.Errorf("OTLP endpoint %q: want http://HOST:PORT, or https:// for TLS", endpoint)
	}
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		return nil, nil, fmt.Errorf("open traces: %w", err)
	}
	p := trace.NewTracerProvider(trace.WithBatcher(patient{exporter, log}), trace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "lockstep-"+program), attribute.String("service.instance.id", id))))
	return p, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			log.Info("spans were not delivered", "error", err)
		}
		return nil
	}, nil
}

// patient is an exporter whose failures are logged, where OpenTelemetry's own would go to a global handler.
type patient struct {
	trace.SpanExporter
	log *slog.Logger
}

func (p patient) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	if err := p.SpanExporter.ExportSpans(ctx, spans); err != nil {
		p.log.Info("spans were not delivered", "spans", len(spans), "error", err)
	}
	return nil
}

// ServerOptions make a gRPC server trace its requests; none where there are no traces.
func (s *Source) ServerOptions() []grpc.ServerOption {
	if !s.traces() {
		return nil
	}
	return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(s.grpcOptions()...))}
}

// DialOptions make a gRPC client pass on the trace of its requests; none where there are no traces.
func (s *Source) DialOptions() []grpc.DialOption {
	if !s.traces() {
		return nil
	}
	return []grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler(s.grpcOptions()...))}
}

func (s *Source) traces() bool {
	_, ok := s.Traces.(*trace.TracerProvider)
	return ok
}

func (s *Source) grpcOptions() []otelgrpc.Option {
	return []otelgrpc.Option{otelgrpc.WithTracerProvider(s.Traces), otelgrpc.WithPropagators(propagation.TraceContext{}), otelgrpc.WithFilter(telling)}
}

// telling reports whether a request is worth a span: signs of life and the ring's streams, which live as long as a
// generation, are not.
func telling(i *stats.RPCTagInfo) bool {
	m := i.FullMethodName
	return !strings.HasSuffix(m, "/Heartbeat") && !strings.HasPrefix(m, "/grpc.") && (strings.Contains(m, ".Jobs/") || strings.Contains(m, ".Workers/") ||
		strings.Contains(m, ".Chunks/") || strings.Contains(m, ".Cluster/"))
}
