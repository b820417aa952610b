package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what Prometheus reads.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	batches  prometheus.Histogram
	records  prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lockstep_serve_requests_total", Help: "Requests, by the HTTP status of the answer."}, []string{"code"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lockstep_serve_request_duration_seconds", Help: "Time from a request to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15)}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lockstep_serve_batch_records", Help: "Records that were computed together.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10)}),
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "lockstep_serve_records_total", Help: "Records that were computed."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.batches, m.records)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) batch(records int) {
	m.batches.Observe(float64(records))
	m.records.Add(float64(records))
}

// observe counts and times requests.
func (m *metrics) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		s := &status{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(s, r)
		m.requests.WithLabelValues(strconv.Itoa(s.code)).Inc()
		m.seconds.Observe(time.Since(begin).Seconds())
	})
}

// status remembers the status of an answer.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }
