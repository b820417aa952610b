package trainer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lockstep/internal/ring"
)

// jobMeter is a worker's meter as one session uses it: the series of its job, looked up once, so that a step makes none.
type jobMeter struct {
	steps, samples, redone, evaluation, faults, checkpointBytes, stored, failed prometheus.Counter
	compute, wait, reduce, update                                               prometheus.Counter
	sent, received, corrupt, wrongJob, wrongGeneration, stale, unexpected       prometheus.Counter
	step, checkpoint                                                            prometheus.Observer
	speed                                                                       prometheus.Gauge
	ring                                                                        ring.Stats // counted already
}

// of notes that a generation of a job begins, and makes the job's series: rates are right from the first event on.
func (m *meter) of(job string) *jobMeter {
	m.generations.WithLabelValues(job).Inc()
	phase := func(name string) prometheus.Counter { return m.phase.WithLabelValues(job, name) }
	frames := func(reason string) prometheus.Counter { return m.frames.WithLabelValues(job, reason) }
	return &jobMeter{
		steps: m.steps.WithLabelValues(job), samples: m.samples.WithLabelValues(job), redone: m.redone.WithLabelValues(job),
		evaluation: m.evaluation.WithLabelValues(job), faults: m.faults.WithLabelValues(job),
		checkpointBytes: m.checkpointBytes.WithLabelValues(job), checkpoint: m.checkpoint.WithLabelValues(job),
		stored: m.checkpoints.WithLabelValues(job, "stored"), failed: m.checkpoints.WithLabelValues(job, "failed"),
		compute: phase("compute"), wait: phase("wait"), reduce: phase("reduce"), update: phase("update"),
		sent: m.sent.WithLabelValues(job), received: m.received.WithLabelValues(job), corrupt: frames("corrupt"), wrongJob: frames("wrong_job"),
		wrongGeneration: frames("wrong_generation"), stale: frames("stale"), unexpected: frames("unexpected"),
		step: m.step.WithLabelValues(job), speed: m.speed.WithLabelValues(job),
	}
}

// stepped notes a step, and what the ring has counted since the last one.
func (m *jobMeter) stepped(p phases, samples int, speed float64, now ring.Stats) {
	m.steps.Inc()
	m.samples.Add(float64(samples))
	m.compute.Add(p.compute.Seconds())
	m.wait.Add(p.wait.Seconds())
	m.reduce.Add(p.reduce.Seconds())
	m.update.Add(p.update.Seconds())
	m.redone.Add(float64(p.redone))
	m.step.Observe(p.total().Seconds())
	m.speed.Set(speed)
	m.rang(now)
}

// rang adds what a session's ring has counted since it was last asked.
func (m *jobMeter) rang(now ring.Stats) {
	old := m.ring
	m.ring = now
	m.sent.Add(float64(now.BytesSent - old.BytesSent))
	m.received.Add(float64(now.BytesReceived - old.BytesReceived))
	m.corrupt.Add(float64(now.Corrupt - old.Corrupt))
	m.wrongJob.Add(float64(now.WrongJob - old.WrongJob))
	m.wrongGeneration.Add(float64(now.WrongGeneration - old.WrongGeneration))
	m.stale.Add(float64(now.Stale - old.Stale))
	m.unexpected.Add(float64(now.Unexpected - old.Unexpected))
}

// kept notes the end of a checkpoint's upload.
func (m *jobMeter) kept(d time.Duration, err error) {
	if err != nil {
		m.failed.Inc()
	} else {
		m.stored.Inc()
	}
	m.checkpoint.Observe(d.Seconds())
}
