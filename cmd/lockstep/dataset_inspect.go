package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/internal/dataset"
	"lockstep/internal/spec"
)

// inspectFlags say what of a dataset is shown.
type inspectFlags struct {
	spec    specFlags
	format  string
	samples int
	png     string
	draw    bool
	split   string
}

func (a *app) inspectCommand() *cobra.Command {
	var f inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect FILE.yaml|PATH",
		Short: "Show what a dataset holds",
		Long: `Reads the dataset of a specification, or a data file or folder by itself, as a worker would, and shows its shape, splits,
classes, columns, shards, fingerprint and a few records. Equal fingerprints are equal training data, whatever files and
formats they came from. Images are drawn with --draw in the terminal, or with --png as a sheet in a file.

Of a path that is not a specification the format follows from its name, unless --format says it; --set changes the
dataset's other settings, such as --set dataset.target='{column: species, type: category}'.`,
		Example: `  lockstep dataset inspect examples/digits-mlp.yaml
  lockstep dataset inspect mnist.npz --png digits.png --samples 64
  lockstep dataset inspect flowers/ --format image_folder --draw
  lockstep dataset inspect iris.csv --set dataset.target='{column: species, type: category}' -o json`,
		Args: wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.samples < 0 {
				return usageErrorf(cmd, "--samples %d: want at least 0", f.samples)
			}
			s, err := a.inspected(cmd, args[0], f)
			if err != nil {
				return err
			}
			return a.inspect(cmd.Context(), cmd, s, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.format, "format", "", "read PATH as `FORMAT`: "+strings.Join(formats, ", "))
	flags.IntVar(&f.samples, "samples", 5, "show the first `N` records")
	flags.StringVar(&f.split, "split", "train", "show records of the split called `NAME`: train, val or test")
	flags.StringVar(&f.png, "png", "", "draw the shown records, which have to be images, into a new PNG `FILE`")
	flags.BoolVar(&f.draw, "draw", false, "draw the shown records, which have to be images, in the terminal")
	f.spec.register(flags)
	oneOf(cmd, "format", formats...)
	oneOf(cmd, "split", "train", "val", "test")
	return a.data(cmd)
}

var formats = []string{"csv", "tsv", "idx", "npy", "npz", "image_folder", "text", "jsonl", "parquet"}

// inspected is the specification that args name, or one around a bare path.
func (a *app) inspected(cmd *cobra.Command, path string, f inspectFlags) (*spec.Job, error) {
	ending := filepath.Ext(path)
	if f.format == "" && (path == "-" || ending == ".yaml" || ending == ".yml") {
		s, err := a.loadSpec(cmd, path, f.spec)
		if err != nil {
			return nil, err
		}
		return s.job, s.checkFiles()
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, exitErrorf(codeNotFound, "inspect dataset: %w", err)
	}
	format := cmp.Or(f.format, formatOf(path, info.IsDir()))
	if format == "" {
		return nil, usageErrorf(cmd, "the format does not follow from the name %s: say --format %s", path, strings.Join(formats, "|"))
	}
	text := bareSpec(path, format, info.IsDir())
	for _, assignment := range f.spec.set {
		if text, err = assign(cmd, text, assignment); err != nil {
			return nil, err
		}
	}
	job, err := spec.Parse("dataset", text)
	if err != nil {
		return nil, err
	}
	return job, job.ResolveSource("-")
}

// bareSpec is a specification that does no more than name a dataset.
func bareSpec(path, format string, folder bool) []byte {
	rest := ""
	if (format == "idx" || format == "npy") && !folder {
		rest = fmt.Sprintf(", train: {images: %q}", filepath.Base(path))
		path = filepath.Dir(path)
	}
	return fmt.Appendf(nil, "spec:\n  dataset: {format: %s, source: %q%s}\n  model: {layers: [{type: dense, units: 1}]}\n  loss: {type: mse}\n", format, path, rest)
}

// formatOf guesses a format from a file's name, "" if it says none.
func formatOf(path string, folder bool) string {
	if folder {
		return "image_folder"
	}
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".gz")
	for ending, format := range map[string]string{".csv": "csv", ".tsv": "tsv", ".npy": "npy", ".npz": "npz", ".txt": "text", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
		"-ubyte": "idx", ".idx": "idx"} {
		if strings.HasSuffix(name, ending) {
			return format
		}
	}
	return ""
}

// inspection is what inspect prints.
type inspection struct {
	Source string `json:"source"`
	Format string `json:"format"`
	dataset.Summary
	Samples []sample `json:"samples,omitempty"`
}

func (a *app) inspect(ctx context.Context, cmd *cobra.Command, job *spec.Job, f inspectFlags) error {
	var d *dataset.Dataset
	err := a.withData(ctx, job.Spec.Dataset.Source, func(ctx context.Context, o dataset.Options) (err error) {
		d, err = dataset.OpenWith(ctx, job.Spec.Dataset, job.Spec.Seed, o)
		return err
	})
	if err != nil {
		return err
	}
	in := inspection{Source: job.Spec.Dataset.Source, Format: job.Spec.Dataset.Format}
	if in.Summary, err = d.Summary(job.Spec.Dataset.ShardRecords); err != nil {
		return err
	}
	shown, err := samplesOf(d, f.split, f.samples)
	if err != nil {
		return usageErrorf(cmd, "%w", err)
	}
	in.Samples = shown.list
	if f.png != "" {
		if err := shown.writePNG(f.png); err != nil {
			return err
		}
		a.sayf("%d images of %s are in %s", len(shown.images), f.split, f.png)
	}
	return a.print(printed{value: in, names: []string{in.Fingerprint}, table: func(w io.Writer, wide bool) error {
		if err := in.write(w, wide); err != nil || !f.draw {
			return err
		}
		return shown.draw(w, a.outTerm)
	}})
}
