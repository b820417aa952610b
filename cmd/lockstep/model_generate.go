package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/internal/console"
	"lockstep/internal/infer"
)

func (a *app) generateCommand() *cobra.Command {
	var g infer.Generation
	cmd := &cobra.Command{
		Use:   "generate MODEL",
		Short: "Continue a text",
		Long: `Prints the prompt and what the model makes of it, a token at a time. The text depends on the model, the prompt, the
temperature and the seed alone. MODEL is a job, or a file that "model export --format bundle" wrote.`,
		Example: `  lockstep model generate shakespeare-lstm --prompt "ROMEO:" --length 400 --temperature 0.8
  lockstep model generate shakespeare.bundle.safetensors --prompt "To be" --temperature 0
  lockstep model generate shakespeare-lstm --prompt "ROMEO:" -o json | jq -r .text`,
		Args:              wants("MODEL"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if g.Length < 1 || g.Temperature < 0 {
				return usageErrorf(cmd, "--length %d --temperature %v: want at least 1 and at least 0", g.Length, g.Temperature)
			}
			m, err := a.useModel(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.format == console.Table || a.format == console.Wide {
				return generateTo(cmd.Context(), a.out, m, g)
			}
			return a.printGenerated(cmd.Context(), args[0], m, g)
		},
	}
	f := cmd.Flags()
	f.StringVar(&g.Prompt, "prompt", "\n", "the `TEXT` to continue")
	f.IntVar(&g.Length, "length", 200, "add `N` tokens")
	f.Float64Var(&g.Temperature, "temperature", 1, "divide the logarithms of probabilities by `T`: below 1 is more careful, 0 takes the most probable token")
	f.Uint64Var(&g.Seed, "seed", 0, "draw by the random numbers of `SEED`")
	return a.data(a.remote(cmd))
}

// generateTo writes the text as it comes, with a line's end.
func generateTo(ctx context.Context, w io.Writer, m *infer.Model, g infer.Generation) error {
	first := true
	err := m.Generate(g, func(text string) error {
		if first {
			text, first = g.Prompt+text, false
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		return context.Cause(ctx)
	})
	if !first {
		_, end := io.WriteString(w, "\n")
		err = errors.Join(err, end)
	}
	return err
}

// generated is a text, with all that it depends on.
type generated struct {
	Model       string  `json:"model"`
	Prompt      string  `json:"prompt"`
	Temperature float64 `json:"temperature"`
	Seed        uint64  `json:"seed"`
	Text        string  `json:"text"` // with the prompt
}

func (a *app) printGenerated(ctx context.Context, name string, m *infer.Model, g infer.Generation) error {
	var text strings.Builder
	if err := generateTo(ctx, &text, m, g); err != nil {
		return err
	}
	v := generated{name, g.Prompt, g.Temperature, g.Seed, strings.TrimSuffix(text.String(), "\n")}
	return a.print(printed{value: v, names: []string{name}})
}
