package telemetry

import (
	"context"
	"log/slog"

	"github.com/spf13/pflag"
)

// Flags are what a program lets its users choose.
type Flags struct {
	pprof    bool
	endpoint string
}

// AddTo declares the flags.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.BoolVar(&f.pprof, "pprof", false, "serve profiles over HTTP, under /debug/pprof/: for those who may see the process's memory")
	flags.StringVar(&f.endpoint, "otlp-endpoint", "", "send traces to the OTLP collector at `URL`, such as http://localhost:4317 (https: with TLS); empty: none")
}

// Open is the Source that the flags ask for, of a program under the name of id. What it returns sends what is left.
func (f *Flags) Open(ctx context.Context, program, id string, log *slog.Logger) (Source, func() error, error) {
	s := Source{Pprof: f.pprof}
	s.SetDefaults()
	if f.endpoint == "" {
		return s, func() error { return nil }, nil
	}
	traces, closeTraces, err := OpenTraces(ctx, f.endpoint, program, id, log)
	if err != nil {
		return s, nil, err
	}
	s.Traces = traces
	return s, closeTraces, nil
}
