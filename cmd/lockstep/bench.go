package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lockstep/internal/bench"
	"lockstep/internal/console"
)

// benchCommand measures this machine.
func (a *app) benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure matrix products, the all-reduce and training",
		Example: "  lockstep bench matmul\n  lockstep bench allreduce\n  lockstep bench train --net mlp --workers 2",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "matmul", Short: "Single-precision matrix products on one core, in GFLOP/s", Args: wants(),
			Example: "  lockstep bench matmul",
			RunE: func(c *cobra.Command, _ []string) error {
				bench.Matmul(c.OutOrStdout(), bench.Shapes())
				return nil
			},
		},
		a.benchTrainCommand(), a.benchAllReduceCommand(), a.benchMemberCommand())
	return group(cmd)
}

func (a *app) benchTrainCommand() *cobra.Command {
	var t bench.TrainConfig
	cmd := &cobra.Command{
		Use: "train", Short: "Samples a second of a net on Fashion-MNIST, through a whole cluster", Args: wants(),
		Long:    "Trains a net on Fashion-MNIST (Debian's package dataset-fashion-mnist) with a cluster in this process and reports\nthe median of several runs. WIRE are the bytes that the first worker sent, in proportion to a float32 ring's without headers.\nGOMAXPROCS=1 gives one core in all.",
		Example: "  GOMAXPROCS=1 lockstep bench train --net mlp --workers 1\n  lockstep bench train --net cnn --workers 2",
		RunE:    func(c *cobra.Command, _ []string) error { return a.benchTrain(c.Context(), t) },
	}
	f := cmd.Flags()
	f.StringVar(&t.Model, "net", "mlp", "mlp, cnn or lstm")
	oneOf(cmd, "net", "mlp", "cnn", "lstm")
	f.IntVar(&t.Workers, "workers", 1, "start `N` workers")
	f.IntVar(&t.Repeats, "repeats", 5, "run `N` times")
	f.StringToStringVar(&t.Set, "set", nil, "set a value of the specification, `PATH=VALUE`")
	return a.data(cmd)
}

func (a *app) benchTrain(ctx context.Context, c bench.TrainConfig) error {
	figures, err := bench.Train(ctx, c, func(f bench.TrainFigure) {
		a.sayf("%s  %d workers  %.0f samples/s", f.Model, f.Workers, f.SamplesPerSecond)
	})
	if err != nil {
		return err
	}
	p := printed{value: figures}
	g := console.Grid{Columns: []console.Column{{Name: "NET"}, {Name: "WORKERS"}, {Name: "SAMPLES/S"}, {Name: "ACCURACY"}, {Name: "WIRE"}, {Name: "DIGEST"}}}
	for _, f := range figures {
		p.names = append(p.names, f.ModelDigest)
		g.Add(f.Model, fmt.Sprint(f.Workers), fmt.Sprintf("%.0f", f.SamplesPerSecond), fmt.Sprintf("%.4f", f.TestAccuracy), fmt.Sprintf("%.3f", f.WireRatio), f.ModelDigest)
	}
	p.table = func(w io.Writer, wide bool) error {
		if err := g.Write(w, wide); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "median %.0f samples/s\n", bench.MedianRate(figures))
		return err
	}
	return a.print(p)
}
