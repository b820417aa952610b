package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Source is how one coordinator or worker is watched. Its zero value has a registry of its own, and neither profiles
// nor traces.
type Source struct {
	Registry *prometheus.Registry // what /metrics shows; default: a new one
	Process  string               // label "process" of the metrics, where several share a registry; empty: none
	Pprof    bool                 // profiles are served under /debug/pprof/
	Traces   trace.TracerProvider // default: one that keeps nothing
}

// SetDefaults fills in what was not given.
func (s *Source) SetDefaults() {
	if s.Registry == nil {
		s.Registry = NewRegistry()
	}
	if s.Traces == nil {
		s.Traces = noop.NewTracerProvider()
	}
}

// Register adds collectors of this process.
func (s *Source) Register(c ...prometheus.Collector) error {
	var r prometheus.Registerer = s.Registry
	if s.Process != "" {
		r = prometheus.WrapRegistererWith(prometheus.Labels{"process": s.Process}, r)
	}
	for _, x := range c {
		if err := r.Register(x); err != nil {
			return err
		}
	}
	return nil
}

// Tracer makes spans, none where there are no traces.
func (s *Source) Tracer() trace.Tracer { return s.Traces.Tracer("lockstep") }

// NewRegistry returns a registry with the figures of the Go runtime and of the process.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
