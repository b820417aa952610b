package trainer

import (
	"github.com/prometheus/client_golang/prometheus"

	"lockstep/internal/ring/grpclink"
)

// meter counts what a worker does. Series of a job end with this worker's part in it.
type meter struct {
	steps, samples, redone, phase, sent, received, frames, evaluation *prometheus.CounterVec
	checkpoints, checkpointBytes, generations, faults                 *prometheus.CounterVec
	step, checkpoint                                                  *prometheus.HistogramVec
	speed                                                             *prometheus.GaugeVec
	vectors                                                           []vector
	cores, registered                                                 prometheus.Gauge
	silent                                                            prometheus.Counter
	streams                                                           *prometheus.Desc
	links                                                             *grpclink.Server
}

// vector is a metric with one series, or some, for each job.
type vector interface {
	prometheus.Collector
	DeletePartialMatch(prometheus.Labels) int
}

const trainJob = "train_job"

func newMeter(cores int, links *grpclink.Server) *meter {
	m := &meter{links: links}
	m.steps = m.counter("steps_total", "Steps made.")
	m.samples = m.counter("samples_total", "Training records of this worker's own micro-batches.")
	m.redone = m.counter("steps_redone_total", "Times that a step's gradients were summed again with other scales.")
	m.phase = m.counter("step_phase_seconds_total", "Time of steps: compute (own micro-batches), then wait (for other members), reduce (move and add sums), update (the rest).", "phase")
	m.step = m.histogram("step_duration_seconds", "Time of a step.", prometheus.ExponentialBuckets(0.0005, 4, 10))
	m.evaluation = m.counter("evaluation_seconds_total", "Time of evaluations between steps.")
	m.sent = m.counter("ring_sent_bytes_total", "Bytes sent to other members to sum gradients and figures.")
	m.received = m.counter("ring_received_bytes_total", "Bytes received from other members for the same.")
	m.frames = m.counter("ring_refused_frames_total", "Frames of the ring that were turned away: corrupt, wrong_job, wrong_generation, stale or unexpected.", "reason")
	m.checkpoints = m.counter("checkpoints_total", "Checkpoints to which this worker has brought its part: stored or failed.", "result")
	m.checkpointBytes = m.counter("checkpoint_bytes_total", "Bytes of checkpoints' chunks that this worker has sent to coordinators.")
	m.checkpoint = m.histogram("checkpoint_duration_seconds", "Time to store a checkpoint, behind the steps.", prometheus.ExponentialBuckets(0.01, 4, 8))
	m.generations = m.counter("generations_total", "Generations in which this worker has taken part.")
	m.faults = m.counter("faults_total", "Faults of a generation that this worker has reported.")
	m.speed = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lockstep_worker_micro_batches_per_second",
		Help: "Micro-batches a second of pure computation, all cores together, waits left out."}, []string{trainJob})
	m.vectors = append(m.vectors, m.speed)
	m.cores = gauge("cores", "Micro-batches that this worker computes at a time.")
	m.cores.Set(float64(cores))
	m.registered = gauge("registered", "1 while the cluster knows this worker.")
	m.silent = prometheus.NewCounter(prometheus.CounterOpts{Name: "lockstep_worker_heartbeat_failures_total", Help: "Heartbeats that no coordinator took."})
	m.streams = prometheus.NewDesc("lockstep_worker_ring_refused_streams_total", "Streams of other members that were turned away: malformed, stale, duplicate or unclaimed.", []string{"reason"}, nil)
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "lockstep_worker_" + name, Help: help})
}

func (m *meter) counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lockstep_worker_" + name, Help: help}, append([]string{trainJob}, labels...))
	m.vectors = append(m.vectors, v)
	return v
}

func (m *meter) histogram(name, help string, buckets []float64) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "lockstep_worker_" + name, Help: help, Buckets: buckets}, []string{trainJob})
	m.vectors = append(m.vectors, v)
	return v
}

// Describe implements prometheus.Collector.
func (m *meter) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range m.vectors {
		v.Describe(ch)
	}
	for _, c := range []prometheus.Collector{m.cores, m.registered, m.silent} {
		c.Describe(ch)
	}
	ch <- m.streams
}

// Collect implements prometheus.Collector.
func (m *meter) Collect(ch chan<- prometheus.Metric) {
	for _, v := range m.vectors {
		v.Collect(ch)
	}
	for _, c := range []prometheus.Collector{m.cores, m.registered, m.silent} {
		c.Collect(ch)
	}
	r := m.links.Refused()
	for reason, n := range map[string]uint64{"malformed": r.Malformed, "stale": r.Stale, "duplicate": r.Duplicate, "unclaimed": r.Unclaimed} {
		ch <- prometheus.MustNewConstMetric(m.streams, prometheus.CounterValue, float64(n), reason)
	}
}

// forget removes the series of a job.
func (m *meter) forget(job string) {
	for _, v := range m.vectors {
		v.DeletePartialMatch(prometheus.Labels{trainJob: job})
	}
}
