package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/internal/console"
	"lockstep/internal/dataset"
	"lockstep/internal/infer"
)

func (a *app) evaluateCommand() *cobra.Command {
	var specFile, split, group, drawn string
	cmd := &cobra.Command{
		Use:   "evaluate MODEL",
		Short: "Measure a model on a dataset",
		Long: `Measures a model on its job's own test split, or on the dataset of another specification, which has to have the same
columns and classes: every metric that the loss allows, and for classes precision and recall of each and the confusion matrix.
What was fitted in training is applied, not fitted anew. MODEL is a job, or a file that "model export --format bundle" wrote. The data
is read on this machine.`,
		Example: `  lockstep model evaluate digits-mlp --confusion matrix.png
  lockstep model evaluate iris.bundle.safetensors --dataset other.yaml --split train -o json
  lockstep model evaluate income --group-by job`,
		Args:              wants("MODEL"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"train", "val", "test"}, split) {
				return usageErrorf(cmd, "--split %q: want train, val or test", split)
			}
			b, err := a.openModel(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			m, err := infer.Open(b)
			if err != nil {
				return err
			}
			data, seed := b.Spec.Spec.Dataset, b.Spec.Spec.Seed
			if specFile != "" {
				s, err := a.loadSpec(cmd, specFile, specFlags{})
				if err != nil {
					return err
				}
				data, seed = s.job.Spec.Dataset, s.job.Spec.Seed
			}
			d, err := dataset.Open(cmd.Context(), m.Fitted(data), seed)
			if err != nil {
				return err
			}
			if d.Split(split).Len() == 0 {
				return fmt.Errorf("the dataset has no split %s: name another with --split", split)
			}
			r, err := m.Evaluate(cmd.Context(), d, split, group)
			if err != nil {
				return err
			}
			if drawn != "" {
				if err := r.DrawConfusion(drawn); err != nil {
					return err
				}
			}
			return a.printReport(r)
		},
	}
	f := cmd.Flags()
	f.StringVar(&specFile, "dataset", "", "measure on the dataset of the specification in `SPEC`")
	f.StringVar(&split, "split", "test", "measure on this `SPLIT`: train, val or test")
	f.StringVar(&group, "group-by", "", "measure also by the values of a category, `COLUMN`")
	f.StringVar(&drawn, "confusion", "", "draw the confusion matrix as a PNG `FILE`")
	oneOf(cmd, "split", "train", "val", "test")
	return a.data(a.remote(cmd))
}

func (a *app) printReport(r *infer.Report) error {
	return a.print(printed{value: r, names: slices.Sorted(maps.Keys(r.Metrics)), table: func(w io.Writer, wide bool) error {
		var f console.Facts
		f.Add("records", fmt.Sprint(r.Records))
		for _, name := range slices.Sorted(maps.Keys(r.Metrics)) {
			f.Add(name, fmt.Sprintf("%.6g", r.Metrics[name]))
		}
		for _, value := range slices.Sorted(maps.Keys(r.Groups)) {
			g := r.Groups[value]
			text := []string{fmt.Sprintf("%d records", g.Records)}
			for _, name := range slices.Sorted(maps.Keys(g.Metrics)) {
				text = append(text, fmt.Sprintf("%s %.4g", name, g.Metrics[name]))
			}
			f.Add(value, strings.Join(text, ", "))
		}
		if err := f.Write(w); err != nil || len(r.Classes) == 0 {
			return err
		}
		g := console.Grid{Columns: []console.Column{{Name: "CLASS"}, {Name: "RECORDS"}, {Name: "PRECISION"}, {Name: "RECALL"}, {Name: "F1"}}}
		for _, c := range r.Classes {
			g.Columns = append(g.Columns, console.Column{Name: "AS " + c.Class})
		}
		for i, c := range r.Classes {
			row := []string{c.Class, fmt.Sprint(c.Records), fmt.Sprintf("%.4f", c.Precision), fmt.Sprintf("%.4f", c.Recall), fmt.Sprintf("%.4f", c.F1)}
			for _, v := range r.Confusion[i] {
				row = append(row, fmt.Sprint(v))
			}
			g.Add(row...)
		}
		fmt.Fprintln(w)
		return g.Write(w, wide)
	}})
}
