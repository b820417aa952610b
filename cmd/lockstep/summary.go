package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"lockstep/internal/console"
	"lockstep/internal/job"
)

// printJob prints one job: all that matters of it as a list, or the object that scripts read. file is where its model
// was written, "" if it was not.
func (a *app) printJob(d job.Detail, file string) error {
	return a.print(printed{
		value: d.View,
		names: []string{d.ID},
		table: func(w io.Writer, wide bool) error { return a.jobFacts(d, file, wide).Write(w) },
	})
}

func (a *app) jobFacts(d job.Detail, file string, wide bool) console.Facts {
	var f console.Facts
	f.Add("job", d.ID)
	f.Add("state", a.outTerm.State(d.State))
	f.Add("reason", d.Reason)
	f.Add("steps", progress(d.Step, d.TotalSteps))
	f.Add("epochs", progress(uint64(d.Epoch), uint64(d.TotalEpochs)))
	f.Add("workers", membership(d.View))
	if d.Parameters > 0 {
		f.Add("parameters", fmt.Sprint(d.Parameters))
	}
	if d.SamplesPerSecond > 0 {
		f.Add("samples/s", fmt.Sprintf("%.1f", d.SamplesPerSecond))
	}
	f = append(f, metricFacts(d.Metrics)...)
	f.Add("checkpoint", d.Checkpoint)
	f.Add("model digest", d.ModelDigest)
	f.Add("model file", file)
	if wide {
		f.Add("generation", generation(d.View))
		f.Add("spec hash", d.SpecHash)
		f.Add("submitted", stamp(d.Submitted))
		f.Add("started", stamp(d.Started))
		f.Add("finished", stamp(d.Finished))
	}
	return f
}

// progress is "done/total", or the one that is known.
func progress(done, total uint64) string {
	switch {
	case total > 0 && done != total:
		return fmt.Sprintf("%d/%d", done, total)
	case done > 0:
		return fmt.Sprint(done)
	}
	return ""
}

func membership(v job.View) string {
	switch {
	case v.Generations == 0:
		return ""
	case v.Generations == 1:
		return fmt.Sprint(v.Workers)
	}
	return fmt.Sprintf("%d, in generation %s", v.Workers, generation(v))
}

// generation is the number of the newest generation, and how many there have been.
func generation(v job.View) string {
	if v.Generations == 0 {
		return ""
	}
	return fmt.Sprintf("%d (the %s)", v.Generation, ordinal(v.Generations))
}

func ordinal(n uint32) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

// metricFacts lists metrics: those of training first, then validation, then test.
func metricFacts(metrics map[string]float64) console.Facts {
	var f console.Facts
	rank := func(name string) int {
		stage, _, _ := strings.Cut(name, "_")
		return slices.Index([]string{"test", "val", "train"}, stage)
	}
	names := slices.Sorted(maps.Keys(metrics))
	slices.SortStableFunc(names, func(a, b string) int { return rank(b) - rank(a) })
	for _, name := range names {
		f.Add(name, fmt.Sprintf("%.6g", metrics[name]))
	}
	return f
}
