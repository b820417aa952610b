package coord

import (
	"github.com/prometheus/client_golang/prometheus"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

var (
	descStep        = desc("job_step", "Steps that a job has made.", "train_job")
	descTotalSteps  = desc("job_planned_steps", "Steps that a job will have made at its end, unless it stops early.", "train_job")
	descEpoch       = desc("job_epoch", "Complete epochs of a job.", "train_job")
	descJobWorkers  = desc("job_workers", "Workers that a job has.", "train_job")
	descWorkersMin  = desc("job_workers_wanted_min", "Workers without which a job does not run.", "train_job")
	descGenerations = desc("job_generations_total", "Generations that a job has had.", "train_job")
	descRate        = desc("job_samples_per_second", "Training records a second of a job, without start-up and evaluation.", "train_job")
	descTimed       = desc("job_samples_total", "Training records of a job, without those of the first 10 steps of a generation.", "train_job")
	descRingBytes   = desc("job_ring_bytes_total", "Bytes that the first member of a job's ring has sent.", "train_job")
	descRedone      = desc("job_steps_redone_total", "Times that a step's gradients were summed again with other scales.", "train_job")
	descMetric      = desc("job_metric", "Newest value of a figure of a job, such as train_loss.", "train_job", "name")
	descCheckpoints = desc("job_checkpoints", "Committed checkpoints of a job that are kept.", "train_job")
	descSetAside    = desc("job_checkpoints_set_aside", "Checkpoints of a job that turned out to be unreadable.", "train_job")
	descSaved       = desc("job_last_checkpoint_timestamp_seconds", "Unix time of the newest committed checkpoint of a job.", "train_job")
	descSavedSize   = desc("job_last_checkpoint_size_bytes", "Size of the newest committed checkpoint of a job.", "train_job")

	jobDescs = []*prometheus.Desc{descStep, descTotalSteps, descEpoch, descJobWorkers, descWorkersMin, descGenerations, descRate, descTimed, descRingBytes,
		descRedone, descMetric, descCheckpoints, descSetAside, descSaved, descSavedSize}
)

// maxJobSeries bounds the jobs that have series of their own: the first that run or recover, in order of submission.
// All others are in lockstep_jobs only.
const maxJobSeries = 256

func collectJobs(ch collecting, s *job.State) {
	jobs := s.Jobs()
	count := countJobs(jobs)
	for state := range lockstepv1.JobState_name {
		if st := lockstepv1.JobState(state); st != lockstepv1.JobState_JOB_STATE_UNSPECIFIED {
			ch.gauge(descJobs, float64(count[st]), job.StateName(st))
		}
	}
	left := maxJobSeries
	for _, j := range jobs {
		if active := j.State == lockstepv1.JobState_JOB_STATE_RUNNING || j.State == lockstepv1.JobState_JOB_STATE_RECOVERING; active && left > 0 {
			collectJob(ch, j)
			left--
		}
	}
}

func collectJob(ch collecting, j *lockstepv1.Job) {
	p, v := j.GetProgress(), job.ViewOf(j)
	ch.gauge(descStep, float64(v.Step), j.Id)
	ch.gauge(descTotalSteps, float64(p.GetTotalSteps()), j.Id)
	ch.gauge(descEpoch, float64(v.Epoch), j.Id)
	ch.gauge(descJobWorkers, float64(v.Workers), j.Id)
	ch.gauge(descWorkersMin, float64(j.WorkersMin), j.Id)
	ch.counter(descGenerations, float64(v.Generations), j.Id)
	ch.gauge(descRate, v.SamplesPerSecond, j.Id)
	ch.counter(descTimed, float64(p.GetTimedRecords()), j.Id)
	ch.counter(descRingBytes, float64(p.GetRingBytes()), j.Id)
	ch.counter(descRedone, float64(p.GetRedone()), j.Id)
	for name, value := range v.Metrics {
		ch.gauge(descMetric, value, j.Id, name)
	}
	ch.gauge(descCheckpoints, float64(len(j.Checkpoints)), j.Id)
	ch.gauge(descSetAside, float64(len(j.SetAside)), j.Id)
	if n := len(j.Checkpoints); n > 0 {
		ch.gauge(descSaved, float64(j.Checkpoints[n-1].CreatedMs)/1000, j.Id)
		ch.gauge(descSavedSize, float64(j.Checkpoints[n-1].Size), j.Id)
	}
}
