package trainer

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// span begins a span of this session, "lockstep.<what>". Where there are no traces it costs nothing to speak of; steps
// have none.
func (s *session) span(ctx context.Context, what string, more ...attribute.KeyValue) (context.Context, trace.Span) {
	attrs := append([]attribute.KeyValue{attribute.String("lockstep.job", s.jobID), attribute.Int64("lockstep.generation", int64(s.generation)),
		attribute.String("lockstep.worker", s.w.id), attribute.Int("lockstep.workers", len(s.members))}, more...)
	return s.w.cfg.Telemetry.Tracer().Start(ctx, "lockstep."+what, trace.WithAttributes(attrs...))
}

// end ends a span with how its work ended.
func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
