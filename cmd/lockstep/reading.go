package main

import (
	"context"

	"lockstep/internal/client"
	"lockstep/internal/job"
)

// reading is a moment of a cluster for programs: what job describe shows of each job, without its specification, and what
// cluster status and worker list do.
type reading struct {
	Cluster job.ClusterView  `json:"cluster"`
	Jobs    []job.Detail     `json:"jobs"`
	Workers []job.WorkerView `json:"workers"`
}

func (a *app) printReading(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, frameTimeout)
	defer cancel()
	s, err := readScene(ctx, c)
	if err != nil {
		return err
	}
	p := printed{}
	r := reading{Cluster: job.ClusterViewOf(s.status), Jobs: []job.Detail{}, Workers: []job.WorkerView{}}
	for _, j := range s.jobs {
		d := job.DetailOf(j)
		d.Spec = nil
		r.Jobs, p.names = append(r.Jobs, d), append(p.names, d.ID)
	}
	for _, w := range s.workers {
		r.Workers = append(r.Workers, job.WorkerViewOf(w))
	}
	p.value = r
	return a.print(p)
}
