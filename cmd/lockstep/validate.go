package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/internal/console"
	"lockstep/internal/spec"
)

func (a *app) validateCommand() *cobra.Command {
	var f specFlags
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check specifications without submitting them",
		Long: `Checks specifications, and that the files they name exist. It needs no cluster. The exit code is 2 if anything is wrong.
With -o yaml or -o json it prints what the specifications say, with every default filled in, and with -o name the jobs' names.`,
		Example: `  lockstep job validate job.yaml
  lockstep job validate job.yaml --set training.epochs=3 -o yaml
  lockstep job validate examples/*.yaml`,
		Args: wants("FILE..."),
		RunE: func(cmd *cobra.Command, files []string) error {
			var errs []error
			for _, file := range files {
				s, err := a.loadSpec(cmd, file, f)
				if err == nil {
					err = s.checkFiles()
				}
				if err == nil {
					err = a.printValid(s)
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		},
	}
	f.register(cmd.Flags())
	return a.data(cmd)
}

// printValid prints a specification that is valid, or that it is.
func (a *app) printValid(s *specText) error {
	if a.format != console.Table && a.format != console.Wide {
		return a.printSpec(s)
	}
	_, err := fmt.Fprintf(a.out, "%s is valid: %s\n", s.file, s.summary())
	return err
}

func (a *app) initCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "init [TEMPLATE]",
		Short: "Write a specification to start from",
		Long: `Prints a commented specification to start from, or writes it to a new file. Templates: ` +
			strings.Join(spec.Templates(), ", ") + `.`,
		Example: `  lockstep job init > job.yaml
  lockstep job init cnn --output cnn.yaml`,
		Args:      wants("[TEMPLATE]"),
		ValidArgs: spec.Templates(),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := spec.Template(append(args, "mlp")[0])
			if err != nil {
				return usageErrorf(cmd, "%w", err)
			}
			if output == "" {
				_, err = a.out.Write(text)
				return err
			}
			return writeNew(output, text)
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "write to `FILE`, which must not exist yet; default: standard output")
	return cmd
}

// writeNew writes a file unless there is one.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("write specification: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
