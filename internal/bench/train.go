package bench

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	cluster "lockstep/internal/embed"
	"lockstep/internal/job"
	"lockstep/internal/spec"
)

//go:embed specs/*.yaml
var specs embed.FS

// Models are the nets that Train knows.
func Models() []string { return []string{"mlp", "cnn", "lstm"} }

// TrainConfig says what Train runs.
type TrainConfig struct {
	Model   string
	Workers int
	Repeats int               // the median is reported
	Set     map[string]string // values set in the specification, by path
}

// TrainFigure is what became of one run.
type TrainFigure struct {
	Model            string  `json:"net"`
	Workers          int     `json:"workers"`
	SamplesPerSecond float64 `json:"samples_per_second"`
	TestAccuracy     float64 `json:"test_accuracy"`
	RingBytes        uint64  `json:"ring_bytes"` // sent by the first worker
	WireRatio        float64 `json:"wire_ratio"` // of them to a float32 ring without headers; 0: one worker sends none
	ModelDigest      string  `json:"model_digest"`
}

// Train trains a net on Fashion-MNIST (Debian's package dataset-fashion-mnist) with a cluster in this process, and
// returns what became of each run. It tells of one as soon as it is over.
func Train(ctx context.Context, c TrainConfig, tell func(TrainFigure)) ([]TrainFigure, error) {
	text, err := specs.ReadFile("specs/" + c.Model + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no net %q: want one of %v", c.Model, Models())
	}
	for path, v := range c.Set {
		if text, err = spec.Set(text, path, v); err != nil {
			return nil, err
		}
	}
	j, err := spec.Parse(c.Model+".yaml", text)
	if err != nil {
		return nil, err
	}
	var out []TrainFigure
	for range c.Repeats {
		done, err := trainOnce(ctx, j, c.Workers)
		if err != nil {
			return nil, err
		}
		f := figureOf(c, done)
		tell(f)
		out = append(out, f)
	}
	return out, nil
}

func figureOf(c TrainConfig, j *lockstepv1.Job) TrainFigure {
	v, p := job.ViewOf(j), j.Progress
	f := TrainFigure{Model: c.Model, Workers: c.Workers, SamplesPerSecond: v.SamplesPerSecond, TestAccuracy: v.Metrics["test_accuracy"],
		RingBytes: p.GetRingBytes(), ModelDigest: v.ModelDigest}
	if n := p.GetFloatRingBytes(); n > 0 {
		f.WireRatio = float64(f.RingBytes) / float64(n)
	}
	return f
}

// MedianRate returns the median of the samples a second.
func MedianRate(figures []TrainFigure) float64 {
	var rates []float64
	for _, f := range figures {
		rates = append(rates, f.SamplesPerSecond)
	}
	return median(rates)
}

// trainOnce runs a job on a cluster of its own.
func trainOnce(ctx context.Context, j *spec.Job, workers int) (_ *lockstepv1.Job, err error) {
	dir, err := os.MkdirTemp("", "lockstep-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c, err := cluster.Start(ctx, cluster.Config{Workers: workers, DataDir: dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	cl, err := client.Dial(c.Addresses())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	x, err := cl.SubmitJob(ctx, &lockstepv1.SubmitJobRequest{RequestId: "bench", Spec: j.Canonical()})
	if err != nil {
		return nil, err
	}
	return follow(ctx, cl, x.Id)
}

const pollEvery = 200 * time.Millisecond

// follow waits until a job has succeeded. A coordinator that is starved of its core may send it to another.
func follow(ctx context.Context, c *client.Client, id string) (*lockstepv1.Job, error) {
	for {
		j, err := c.GetJob(ctx, &lockstepv1.GetJobRequest{Job: id})
		switch {
		case err != nil:
			return nil, fmt.Errorf("follow job: %w", err)
		case j.State == lockstepv1.JobState_JOB_STATE_SUCCEEDED:
			return j, nil
		case job.Ended(j.State):
			return nil, fmt.Errorf("job %s: %s", job.StateName(j.State), j.Reason)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}
