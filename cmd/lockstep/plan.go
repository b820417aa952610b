package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/internal/console"
	"lockstep/internal/dataset"
	"lockstep/internal/plan"
)

func (a *app) planCommand() *cobra.Command {
	var f specFlags
	var o plan.Options
	cmd := &cobra.Command{
		Use:   "plan FILE|-",
		Short: "Show what a job will be: its layers, its steps, and each worker's part",
		Long: `Reads a specification and its data, and shows the layers of the model with shapes, parameters and operations, the steps of
the training, what a worker sends in a step and the memory that it needs, and which segments and shards go to whom. It
trains nothing and needs no cluster.

FLOPs are those of products, 2 for each multiply-add; of layers forward, of samples and steps forward and backward. BYTES
SENT are those of one worker, about: partial sums are packed without loss. Workers are taken to be equally fast.`,
		Example: `  lockstep job plan examples/digits-mlp.yaml
  lockstep job plan job.yaml --set training.global_batch_size=512 --workers 6
  lockstep job plan job.yaml -o json | jq .parameters`,
		Args: wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Workers < 0 || o.Cores < 0 {
				return usageErrorf(cmd, "--workers %d, --cores %d: want at least 1", o.Workers, o.Cores)
			}
			o.Cores = cmp.Or(o.Cores, runtime.NumCPU())
			s, err := a.loadSpec(cmd, args[0], f)
			if err == nil {
				err = s.checkFiles()
			}
			if err != nil {
				return err
			}
			var p *plan.Plan
			err = a.withData(cmd.Context(), s.job.Spec.Dataset.Source, func(ctx context.Context, data dataset.Options) error {
				o.Data = data
				p, err = plan.Make(ctx, s.job, o)
				return err
			})
			if err != nil {
				return exitErrorf(codeUsage, "plan job %s: %w", s.job.Metadata.Name, err)
			}
			return a.print(printed{value: p, names: layerNames(p), table: func(w io.Writer, wide bool) error { return writePlan(w, p, wide) }})
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().IntVar(&o.Workers, "workers", 0, "show the parts of `N` workers; default: as many as the job may have")
	cmd.Flags().IntVar(&o.Cores, "cores", 0, "show the memory of a worker of `N` cores; default: as many as this machine has")
	return a.data(cmd)
}

func layerNames(p *plan.Plan) []string {
	var out []string
	for _, l := range p.Layers {
		out = append(out, l.Name)
	}
	return out
}

func writePlan(w io.Writer, p *plan.Plan, wide bool) error {
	if err := planFacts(p).Write(w); err != nil {
		return err
	}
	layers := console.Grid{Columns: []console.Column{{Name: "LAYER"}, {Name: "TYPE"}, {Name: "OUTPUT"}, {Name: "PARAMETERS"}, {Name: "TRAINABLE", Wide: true},
		{Name: "FLOPS FORWARD"}, {Name: "FLOPS BACKWARD", Wide: true}}}
	for _, l := range p.Layers {
		layers.Add(l.Name, l.Type, shapeText(l.Output), grouped(int64(l.Parameters)), grouped(int64(l.Trainable)), grouped(l.Forward), grouped(l.Backward))
	}
	shares := console.Grid{Columns: []console.Column{{Name: "WORKERS"}, {Name: "SEGMENTS EACH"}, {Name: "FLOPS A STEP EACH"}, {Name: "BYTES SENT A STEP EACH"}}}
	for _, s := range p.Workers {
		shares.Add(fmt.Sprint(s.Workers), fmt.Sprint(s.Segments), grouped(s.FLOPs), size(s.Sent))
	}
	members := console.Grid{Columns: []console.Column{{Name: "WORKER"}, {Name: "SEGMENTS"}, {Name: "RECORDS AN EPOCH"}, {Name: "SHARDS OF EPOCH 0"}}}
	for i, m := range p.Members {
		members.Add(fmt.Sprint(i+1), fmt.Sprintf("%d to %d", m.SegmentFrom, m.SegmentTo-1), grouped(int64(m.Records)), shardsText(m.Shards, wide))
	}
	for _, g := range []console.Grid{layers, shares, members} {
		fmt.Fprintln(w)
		if err := g.Write(w, wide); err != nil {
			return err
		}
	}
	return nil
}

func planFacts(p *plan.Plan) *console.Facts {
	var f console.Facts
	f.Add("job", p.Name)
	f.Add("records", fmt.Sprintf("%s train, %s val, %s test, each %s", grouped(int64(p.Data.Train)), grouped(int64(p.Data.Val)), grouped(int64(p.Data.Test)), shapeText(p.Data.Shape)))
	switch {
	case p.Data.Vocabulary > 0:
		f.Add("vocabulary", grouped(int64(p.Data.Vocabulary)))
	case p.Data.Classes > 0:
		f.Add("classes", grouped(int64(p.Data.Classes)))
	}
	f.Add("shards", fmt.Sprintf("%s of %s records", grouped(int64(p.Data.Shards)), grouped(int64(p.Data.ShardRecords))))
	steps := fmt.Sprintf("%s, %s an epoch", grouped(int64(p.Steps)), grouped(int64(p.EpochSteps)))
	if p.Epochs > 0 {
		steps = fmt.Sprintf("%s, %s in each of %d epochs", grouped(int64(p.Steps)), grouped(int64(p.EpochSteps)), p.Epochs)
	}
	f.Add("steps", steps)
	f.Add("batch", fmt.Sprintf("%d in %d micro-batches of at most %d", p.Batch, p.MicroBatches, p.MicroRecords))
	f.Add("parameters", fmt.Sprintf("%s, %s of them trainable, %s", grouped(int64(p.Parameters)), grouped(int64(p.Trainable)), size(p.ModelBytes)))
	f.Add("FLOPs", fmt.Sprintf("%s a sample, %s a step", grouped(p.SampleFLOPs), grouped(p.StepFLOPs)))
	f.Add("memory", fmt.Sprintf("about %s for a worker of %s, and its records", size(p.MemoryBytes), count(p.Cores, "core")))
	return &f
}

func shapeText(dims []int) string { return strings.ReplaceAll(fmt.Sprint(dims), " ", "x") }

const shardsShown = 8 // of a worker, unless all are asked for

// shardsText lists shards, the first few of many.
func shardsText(shards []int, all bool) string {
	shown := shards
	if !all && len(shards) > shardsShown {
		shown = shards[:shardsShown]
	}
	out := strings.Trim(fmt.Sprint(shown), "[]")
	if len(shown) < len(shards) {
		out += fmt.Sprintf(" and %d more", len(shards)-len(shown))
	}
	return out
}

// grouped writes a number with a comma every three digits.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
