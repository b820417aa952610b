// Package examples_test reads every example as a worker would.
package examples_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"lockstep/internal/dataset"
	"lockstep/internal/model"
	"lockstep/internal/shard"
	"lockstep/internal/spec"
)

// Every example is a good specification, its data are there and fit its model. Those whose data are not installed on
// this machine are skipped from there on.
func TestExamples(t *testing.T) {
	paths, err := filepath.Glob("*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	opened := map[string]dataset.Info{} // several examples share a dataset
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			job, err := spec.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			s := &job.Spec
			info, err := open(t.Context(), opened, s)
			if errors.Is(err, fs.ErrNotExist) && elsewhere(t, s.Dataset.Source) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := model.Build(s, modelData(info)); err != nil {
				t.Fatal(err)
			}
			plan := shard.Plan{Records: info.Train, ShardRecords: s.Dataset.ShardRecords, Micro: s.Training.MicroBatches, Batch: s.Training.GlobalBatchSize}
			if err := plan.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func modelData(i dataset.Info) model.Data {
	return model.Data{Shape: i.Shape, Integer: i.Integer, Vocab: i.Vocab, TargetShape: i.TargetShape, Classes: i.ClassCount}
}

func open(ctx context.Context, opened map[string]dataset.Info, s *spec.TrainJob) (dataset.Info, error) {
	key, err := json.Marshal(s.Dataset)
	if err != nil {
		return dataset.Info{}, err
	}
	if info, ok := opened[string(key)]; ok {
		return info, nil
	}
	d, err := dataset.Open(ctx, s.Dataset, s.Seed)
	if err != nil {
		return dataset.Info{}, err
	}
	opened[string(key)] = d.Info()
	return d.Info(), nil
}

// elsewhere reports whether a source is not in this folder.
func elsewhere(t *testing.T, source string) bool {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	path, _ := spec.LocalPath(source)
	in, err := filepath.Rel(here, path)
	return err != nil || !filepath.IsLocal(in)
}
