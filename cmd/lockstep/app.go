package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lockstep/internal/certs"
	"lockstep/internal/console"
	"lockstep/internal/flagenv"
)

// app is one run of the command line: its streams, and the flags that several commands have.
type app struct {
	in       io.Reader
	out, err io.Writer // data; messages and progress
	outTerm  console.Terminal
	errTerm  console.Terminal

	addresses []string    // nil: not given
	context   string      // name of the one to use; "": not given
	tls       certs.Files // of the cluster that is spoken to
	token     string      // likewise
	format    console.Format
	scratch   scratch

	mu  sync.Mutex
	bar *console.Progress // takes the messages while it is shown; nil: none is
}

func newApp(in io.Reader, out, err io.Writer) *app {
	return &app{
		in: in, out: out, err: err, format: console.Table,
		outTerm: console.TerminalOf(out, os.Getenv), errTerm: console.TerminalOf(err, os.Getenv),
	}
}

// execute runs the command that args name and says what went wrong.
func (a *app) execute(ctx context.Context, args []string) error {
	root := a.root()
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && interrupted(ctx) {
		err = &exitError{codeInterrupted, err}
		if errors.Is(err, errInterrupted) {
			return err // who asked for it need not be told
		}
	}
	a.explain(err)
	return err
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lockstep",
		Short: "Trains neural networks on a cluster of ordinary machines: the same bits, whatever happens",
		Long: `lockstep trains neural networks in data parallel on ordinary machines. A job's result depends on its specification,
its data and its seed, and on nothing else: not on how many workers ran it, nor on who joined, left or crashed.

Start with "lockstep run FILE", which brings its own cluster. To keep a cluster, use "lockstep up" and, in another
terminal, "lockstep job submit FILE".

Exit codes: 0 done, 1 error, 2 bad usage or specification, 3 job failed, 4 job cancelled, 5 not found,
6 cannot be placed, 7 verification failed, 124 wait timed out, 130 interrupted.`,
		Example: `  lockstep run examples/digits-mlp.yaml
  lockstep up
  lockstep job submit examples/digits-mlp.yaml
  lockstep model export digits-mlp --format safetensors --output digits.safetensors`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.environment(cmd) },
	}
	root.AddCommand(a.runCommand(), a.upCommand(), a.jobCommand(), a.modelCommand(), a.workerCommand(), a.clusterCommand(), a.benchCommand(), a.chaosCommand(), a.datasetCommand(),
		a.completionCommand(), a.versionCommand(), a.contextCommand())
	root.AddCommand(a.checkpointCommand())
	root.AddCommand(a.referenceCommand(), a.topCommand())
	root.AddCommand(a.certsCommand(), a.tokenCommand())
	root.AddCommand(a.serveCommand())
	root.SetHelpCommand(a.helpCommand())
	root.SetFlagErrorFunc(flagError)
	group(root)
	return root
}

// environment sets flags that were not given from the environment: all of run and up, and of the others the cluster
// and the output format, since a variable meant for a server must not change what they do. A context on the command line
// goes before an address in the environment.
func (a *app) environment(cmd *cobra.Command) error {
	flags := cmd.Flags()
	if cmd.Annotations[annotateEnv] == "" {
		flags = pflag.NewFlagSet("", pflag.ContinueOnError)
		names := []string{flagContext, flagFormat}
		if !cmd.Flags().Changed(flagContext) {
			names = append(names, flagAddress, certs.FlagCA, certs.FlagCert, certs.FlagKey, flagToken)
		}
		for _, name := range names {
			if f := cmd.Flags().Lookup(name); f != nil {
				flags.AddFlag(f)
			}
		}
	}
	if err := flagenv.Apply(flags); err != nil {
		return usageErrorf(cmd, "%w", err)
	}
	return nil
}

const (
	annotateEnv = "environment" // marks a command whose flags may all be environment variables
	flagAddress = "addr"
	flagContext = "context"
	flagFormat  = "output-format"
)

// data gives a command the flag for how it prints its data.
func (a *app) data(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().VarP(&a.format, flagFormat, "o", "print as `FORMAT`: table, wide, json, yaml or name [$"+flagenv.Name(flagFormat)+"]")
	oneOf(cmd, flagFormat, console.Formats...)
	return cmd
}

// must is for what only a programmer can get wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// sayf writes a message, above the progress line if there is one.
func (a *app) sayf(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if a.bar != nil {
		a.bar.Note(text)
		return
	}
	fmt.Fprintln(a.err, text)
}

func (a *app) setBar(bar *console.Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bar = bar
}
