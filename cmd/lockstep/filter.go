package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// jobFilter is which jobs to list.
type jobFilter struct {
	states []string
	labels map[string]string
}

func (f *jobFilter) register(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.states, "state", nil, "only jobs in one of these `STATES`, separated by commas")
	cmd.Flags().StringToStringVar(&f.labels, "label", nil, "only jobs with these labels, `KEY=VALUE`, separated by commas")
	oneOf(cmd, "state", jobStates()...)
}

// jobStates are the names of all states of a job.
func jobStates() (names []string) {
	for i := 1; i < len(lockstepv1.JobState_name); i++ {
		names = append(names, job.StateName(lockstepv1.JobState(i)))
	}
	return names
}

func (f *jobFilter) validate(cmd *cobra.Command) error {
	for i, s := range f.states {
		f.states[i] = strings.ToUpper(s)
		if !slices.Contains(jobStates(), f.states[i]) {
			return usageErrorf(cmd, "--state %s: want one of %s", s, strings.Join(jobStates(), ", "))
		}
	}
	return nil
}

func (f *jobFilter) fits(j *lockstepv1.Job) bool {
	for k, v := range f.labels {
		if have, ok := j.Labels[k]; !ok || have != v {
			return false
		}
	}
	return len(f.states) == 0 || slices.Contains(f.states, job.StateName(j.State))
}
