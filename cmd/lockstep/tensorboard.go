package main

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/job"
	"lockstep/internal/tfevents"
)

func boardFlag(f *pflag.FlagSet, dir *string) {
	f.StringVar(dir, "tensorboard", "", "write the job's figures as TensorBoard's event files to `DIR`/JOB, while it trains")
}

// board writes a job's figures for TensorBoard. The nil board writes nothing.
type board struct {
	c       *client.Client
	id      string
	w       *tfevents.Writer
	step    uint64    // of the newest point written
	timeMs  int64     // when that was reported
	refresh time.Time // of the figures
}

// boardEvery is how often the figures are fetched while a job is followed.
const boardEvery = 2 * time.Second

func openBoard(c *client.Client, id, dir string) (*board, error) {
	if dir == "" {
		return nil, nil
	}
	w, err := tfevents.Create(filepath.Join(dir, id), time.Now())
	return &board{c: c, id: id, w: w}, err
}

// follow writes what is new, now and then.
func (b *board) follow(ctx context.Context) error {
	if b == nil || time.Since(b.refresh) < boardEvery {
		return nil
	}
	return b.update(ctx)
}

// update writes what is new. Steps that were made again are not written again.
func (b *board) update(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := b.c.GetSeries(ctx, &lockstepv1.GetJobRequest{Job: b.id})
	b.refresh = time.Now()
	if err != nil {
		return answer(err)
	}
	for _, p := range job.SeriesViewOf(s) {
		old := p.Step < b.step || p.Step == b.step && p.TimeMs <= b.timeMs
		if old || len(p.Metrics) == 0 && p.SamplesPerSecond == 0 {
			continue
		}
		if err := b.add(p); err != nil {
			return err
		}
	}
	return nil
}

func (b *board) add(p job.PointView) error {
	var scalars []tfevents.Scalar
	for _, name := range slices.Sorted(maps.Keys(p.Metrics)) {
		tag := name
		if split, rest, ok := strings.Cut(name, "_"); ok { // curves of one figure stand together
			tag = rest + "/" + split
		}
		scalars = append(scalars, tfevents.Scalar{Tag: tag, Value: p.Metrics[name]})
	}
	if p.SamplesPerSecond > 0 {
		scalars = append(scalars, tfevents.Scalar{Tag: "throughput/samples_per_second", Value: p.SamplesPerSecond})
	}
	b.step, b.timeMs = p.Step, p.TimeMs
	return b.w.Add(time.UnixMilli(p.TimeMs), int64(p.Step), scalars)
}

// close writes what is left, if the job's figures can still be had, and closes the file.
func (b *board) close(ctx context.Context) error {
	if b == nil {
		return nil
	}
	var err error
	if ctx.Err() == nil {
		err = b.update(ctx)
	}
	return errors.Join(err, b.w.Close())
}
