package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestMethod(t *testing.T) {
	for full, want := range map[string]string{"/lockstep.v1.Jobs/GetJob": "Jobs/GetJob", "/grpc.health.v1.Health/Check": "Health/Check", "/plain/X": "/plain/X", "odd": "odd", "": ""} {
		if got := method(full); got != want {
			t.Errorf("method(%q) = %q, want %q", full, got, want)
		}
	}
}

// TestRPC counts answers by their code; what ends with a context, and has no status, counts as what a client sees.
func TestRPC(t *testing.T) {
	c := NewRPC()
	for _, err := range []error{nil, nil, status.Error(codes.NotFound, "no job"), context.Canceled} {
		_, got := c.Unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/lockstep.v1.Jobs/GetJob"}, func(context.Context, any) (any, error) { return nil, err })
		if got != err {
			t.Errorf("the error %v became %v", err, got)
		}
	}
	for code, want := range map[string]float64{"OK": 2, "NotFound": 1, "Canceled": 1} {
		if got := testutil.ToFloat64(c.requests.WithLabelValues("Jobs/GetJob", code)); got != want {
			t.Errorf("%v requests with %s, want %v", got, code, want)
		}
	}
}

// TestProfilesOnlyWhenWanted asks for a profile of a process that serves none, and of one that does.
func TestProfilesOnlyWhenWanted(t *testing.T) {
	for want, s := range map[int]*Source{http.StatusNotFound: {}, http.StatusOK: {Pprof: true}} {
		s.SetDefaults()
		mux := http.NewServeMux()
		s.Mount(mux)
		out := httptest.NewRecorder()
		mux.ServeHTTP(out, httptest.NewRequest("GET", "/debug/pprof/cmdline", nil))
		if out.Code != want {
			t.Errorf("status %d, want %d", out.Code, want)
		}
	}
}

func TestBadEndpoint(t *testing.T) {
	for _, endpoint := range []string{"localhost:4317", "ftp://x:1", "http://", "%"} {
		if _, _, err := OpenTraces(t.Context(), endpoint, "p", "i", slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%q was taken", endpoint)
		}
	}
}
