package coord

import (
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// metrics reads this replica and its copy of the state whenever Prometheus asks: nothing is kept, so the series of a
// job end with it.
type metrics struct{ n *Node }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("lockstep_"+name, help, labels, nil)
}

var (
	descTerm      = desc("raft_term", "Raft term of this coordinator.")
	descRole      = desc("raft_role", "1 for the raft role that this coordinator has, 0 for the others.", "role")
	descLeads     = desc("leader_ready", "1 if this coordinator leads and takes commands.")
	descCommit    = desc("raft_commit_index", "Highest log index that this coordinator knows to be committed.")
	descApplied   = desc("raft_applied_index", "Highest log index applied to this coordinator's copy of the state.")
	descContact   = desc("raft_leader_contact_age_seconds", "How long ago this coordinator heard from its leader; 0 on the leader itself.")
	descReady     = desc("coordinator_ready", "1 if this coordinator knows a leader and is not cut off from it, as /readyz says.")
	descMembers   = desc("coordinators", "Coordinators of the cluster, alive or not.")
	descJobs      = desc("jobs", "Jobs in each state.", "state")
	descWorkers   = desc("workers", "Workers in each state: IDLE, WORKING, DRAINING or QUARANTINED.", "state")
	descEvents    = desc("events_total", "Events that the state has yielded.")
	descUnsent    = desc("events_unpublished", "Events that NATS has not acknowledged yet.")
	descUnsentAge = desc("events_unpublished_age_seconds", "Age of the oldest event that NATS has not acknowledged yet; 0: there is none.")
	descRefused   = desc("requests_refused_total", "Requests turned away for what they are.")

	clusterDescs = []*prometheus.Desc{descTerm, descRole, descLeads, descCommit, descApplied, descContact, descReady, descMembers, descJobs, descWorkers,
		descEvents, descUnsent, descUnsentAge, descRefused}
)

// Describe implements prometheus.Collector.
func (m metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range clusterDescs {
		ch <- d
	}
	for _, d := range jobDescs {
		ch <- d
	}
}

// collecting is one answer to Prometheus.
type collecting chan<- prometheus.Metric

func (ch collecting) gauge(d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (ch collecting) counter(d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

// oneIf is 1 for true.
func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Collect implements prometheus.Collector.
func (m metrics) Collect(out chan<- prometheus.Metric) {
	ch := collecting(out)
	m.collectRaft(ch)
	m.n.fsm.read(func(s *job.State) {
		now := time.Now()
		collectWorkers(ch, s, now)
		collectEvents(ch, s, now)
		collectJobs(ch, s)
	})
	ch.counter(descRefused, float64(m.n.refused.Load()))
}

func (m metrics) collectRaft(ch collecting) {
	n := m.n
	role := n.raft.State()
	for _, r := range []struct {
		state raft.RaftState
		name  string
	}{{raft.Leader, "leader"}, {raft.Follower, "follower"}, {raft.Candidate, "candidate"}} {
		ch.gauge(descRole, oneIf(role == r.state), r.name)
	}
	ch.gauge(descTerm, float64(n.raft.CurrentTerm()))
	ch.gauge(descLeads, oneIf(n.Leads()))
	ch.gauge(descReady, oneIf(n.Ready() == nil))
	ch.gauge(descCommit, float64(n.raft.CommitIndex()))
	ch.gauge(descApplied, float64(n.raft.AppliedIndex()))
	ch.gauge(descMembers, float64(len(n.cfg.Bootstrap)))
	silence := 0.0
	if heard := n.raft.LastContact(); role != raft.Leader && !heard.IsZero() {
		silence = time.Since(heard).Seconds()
	}
	ch.gauge(descContact, silence)
}

func collectWorkers(ch collecting, s *job.State, now time.Time) {
	count := map[string]int{"IDLE": 0, "WORKING": 0, "DRAINING": 0, "QUARANTINED": 0}
	for _, w := range s.Workers() {
		switch {
		case w.Draining:
			count["DRAINING"]++
		case w.QuarantinedUntilMs > now.UnixMilli():
			count["QUARANTINED"]++
		case s.JobOf(w.Id) != nil:
			count["WORKING"]++
		default:
			count["IDLE"]++
		}
	}
	for state, n := range count {
		ch.gauge(descWorkers, float64(n), state)
	}
}

func collectEvents(ch collecting, s *job.State, now time.Time) {
	waiting := s.EventsAfter(s.AckedEvent())
	age := 0.0
	if len(waiting) > 0 {
		age = max(0, now.Sub(time.UnixMilli(waiting[0].TimeMs)).Seconds())
	}
	ch.counter(descEvents, float64(s.AckedEvent()+uint64(len(waiting))))
	ch.gauge(descUnsent, float64(len(waiting)))
	ch.gauge(descUnsentAge, age)
}

func countJobs(jobs []*lockstepv1.Job) map[lockstepv1.JobState]int {
	count := map[lockstepv1.JobState]int{}
	for _, j := range jobs {
		count[j.State]++
	}
	return count
}
