package telemetry

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// RPC counts the requests of a gRPC server. Methods are those that it has: an unknown one makes no series.
type RPC struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewRPC makes a collector that has counted nothing.
func NewRPC() *RPC {
	return &RPC{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lockstep_grpc_requests_total",
			Help: "Requests answered, by method and gRPC status code. A stream counts at its end."}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "lockstep_grpc_request_duration_seconds",
			Help: "Time to answer a request that is not a stream, by method.", Buckets: []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2, 10}}, []string{"method"}),
	}
}

// Describe implements prometheus.Collector.
func (c *RPC) Describe(ch chan<- *prometheus.Desc) {
	c.requests.Describe(ch)
	c.seconds.Describe(ch)
}

// Collect implements prometheus.Collector.
func (c *RPC) Collect(ch chan<- prometheus.Metric) {
	c.requests.Collect(ch)
	c.seconds.Collect(ch)
}

// Unary is a server's interceptor.
func (c *RPC) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	begin := time.Now()
	reply, err := handle(ctx, req)
	c.seconds.WithLabelValues(method(info.FullMethod)).Observe(time.Since(begin).Seconds())
	c.count(info.FullMethod, err)
	return reply, err
}

// Stream is a server's interceptor.
func (c *RPC) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	err := handle(srv, stream)
	c.count(info.FullMethod, err)
	return err
}

func (c *RPC) count(full string, err error) {
	if _, ok := status.FromError(err); !ok { // such as the end of a context, which a client sees as a status
		err = status.FromContextError(err).Err()
	}
	c.requests.WithLabelValues(method(full), status.Code(err).String()).Inc()
}

// method is "Jobs/GetJob" of "/lockstep.v1.Jobs/GetJob".
func method(full string) string {
	return full[strings.LastIndexByte(full[:max(0, strings.LastIndexByte(full, '/'))], '.')+1:]
}
