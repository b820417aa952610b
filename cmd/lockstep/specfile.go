package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lockstep/internal/spec"
)

// specFlags change a specification on its way from its file.
type specFlags struct {
	set  []string
	name string
}

func (f *specFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.set, "set", nil, "change a value, `PATH=VALUE`, as in training.epochs=3 or metadata.labels.team=vision; may be repeated")
	flags.StringVar(&f.name, "name", "", "call the job `NAME`, whatever the specification says")
}

// specText is a specification's text with the changes that flags ask for, and what it says.
type specText struct {
	file string // names the text in messages
	text []byte
	job  *spec.Job
}

// loadSpec reads a specification from a file, "-" being standard input, and checks it. Its errors are *spec.Error,
// joined, or usage errors.
func (a *app) loadSpec(cmd *cobra.Command, file string, f specFlags) (*specText, error) {
	s := &specText{file: file}
	var err error
	if file == "-" {
		s.file = "stdin"
		s.text, err = io.ReadAll(a.in)
	} else {
		s.text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, exitErrorf(codeUsage, "read specification: %w", err)
	}
	if f.name != "" {
		f.set = append(slices.Clone(f.set), "metadata.name="+strconv.Quote(f.name))
	}
	for _, assignment := range f.set {
		if s.text, err = assign(cmd, s.text, assignment); err != nil {
			return nil, err
		}
	}
	if s.job, err = spec.Parse(s.file, s.text); err != nil {
		return nil, err
	}
	return s, s.job.ResolveSource(file)
}

// assign makes one change: path=value. A path that does not begin at the top begins under spec.
func assign(cmd *cobra.Command, text []byte, assignment string) ([]byte, error) {
	path, value, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return nil, usageErrorf(cmd, "--set %s: want path=value", assignment)
	}
	if first, _, _ := strings.Cut(path, "."); !slices.Contains([]string{"apiVersion", "kind", "metadata", "spec"}, first) {
		path = "spec." + path
	}
	out, err := spec.Set(text, path, value)
	if err != nil {
		return nil, exitErrorf(codeUsage, "%w", err)
	}
	return out, nil
}

// checkFiles reports files that the specification names and that are not there.
func (s *specText) checkFiles() error { return spec.CheckFiles(s.file, s.text, s.job) }

// summary tells in a line what the specification asks for.
func (s *specText) summary() string {
	t := &s.job.Spec
	long := fmt.Sprintf("%d epochs", t.Training.Epochs)
	if t.Training.Epochs == 0 {
		long = fmt.Sprintf("%d steps", t.Training.MaxSteps)
	}
	return fmt.Sprintf("%s, global batch of %d in %d micro-batches, %d to %d workers", long, t.Training.GlobalBatchSize,
		t.Training.MicroBatches, t.Parallelism.Workers.Min, t.Parallelism.Workers.Max)
}
