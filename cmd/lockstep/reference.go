package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"lockstep/internal/reference"
	"lockstep/internal/spec"
)

//go:generate go run . reference cli --output ../../docs/reference/cli.md
//go:generate go run . reference spec --output ../../docs/reference/spec.md

// referenceCommand writes the pages in docs/reference.
func (a *app) referenceCommand() *cobra.Command {
	var output string
	pages := []string{"cli", "spec"}
	cmd := &cobra.Command{
		Use:       "reference PAGE",
		Short:     "Write a page of the reference",
		Hidden:    true,
		Example:   `  lockstep reference cli --output docs/reference/cli.md`,
		Args:      wants("PAGE"),
		ValidArgs: pages,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := referencePage(cmd, args[0])
			if err != nil {
				return err
			}
			if output == "" {
				_, err = io.WriteString(a.out, text)
				return err
			}
			return os.WriteFile(output, []byte(text), 0o644)
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "write to `FILE`; default: standard output")
	return cmd
}

func referencePage(cmd *cobra.Command, page string) (string, error) {
	switch page {
	case "cli":
		return reference.CLI(cmd.Root()), nil
	case "spec":
		return reference.Spec(spec.Schema())
	}
	return "", usageErrorf(cmd, "unknown page %q: want cli or spec", page)
}
