package trainer

import (
	"context"
	"path/filepath"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/dataset"
	"lockstep/internal/source"
)

// scratch is the folder for data; "": there is none.
func (c *Config) scratch() string {
	if c.Scratch != "" {
		return c.Scratch
	}
	return c.DataDir
}

// cache opens the worker's cache of data from elsewhere.
func (c *Config) cache() (*source.Cache, error) {
	if c.scratch() == "" {
		return nil, nil
	}
	return source.OpenCache(filepath.Join(c.scratch(), "cache"), c.CacheSize, c.Log)
}

// data says how the data of a job is reached and kept. Of a pushed dataset it is the version that was there when the job
// was submitted.
func (w *Worker) data(j *lockstepv1.Job) dataset.Options {
	o := source.Options{Cache: w.cache, S3: w.cfg.S3, Roots: w.cfg.DataRoots, Pushed: func(ctx context.Context, name string) (source.Tree, error) {
		return w.client.Dataset(ctx, name, j.DatasetRoot, w.cache)
	}}
	d := dataset.Options{Tree: o.Open, Memory: w.cfg.Memory}
	if dir := w.cfg.scratch(); dir != "" {
		d.Dir = filepath.Join(dir, "records")
	}
	return d
}
