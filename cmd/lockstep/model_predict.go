package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/internal/infer"
)

// predictOptions say what a prediction reads and writes.
type predictOptions struct {
	format, input, output, images string
	batch                         int
}

var predictFormats = []string{"csv", "json", "npy"}

func (a *app) predictCommand() *cobra.Command {
	var o predictOptions
	cmd := &cobra.Command{
		Use:   "predict MODEL [FILES...]",
		Short: "Predict for new records",
		Long: `Reads records from files, or from standard input where there is none or it is "-", and prints what the model predicts
for each. MODEL is a job, or a file that "model export --format bundle" wrote. The preprocessing that was fitted in training is
applied: give records as they are.

Files are told by their names: .csv, .tsv and .parquet (the columns by their names; others are ignored), .json and .jsonl
(objects with the columns, or arrays of numbers or token ids), .npy, and images (.png, .jpg, .gif, .bmp, .webp), which
are resized where the specification gives the model's images a size. A column of arrays is an array in
JSON and parquet, and in csv the text of a JSON array. --images DIR draws each image with
its prediction as a PNG file.`,
		Example: `  lockstep model predict iris new.csv
  lockstep model predict digits.bundle.safetensors new.csv --format json
  cat new.json | lockstep model predict iris - --input-format json
  lockstep model predict fashion-cnn shoe.png shirt.png --images drawn`,
		Args:              wants("MODEL", "[FILES...]..."),
		ValidArgsFunction: a.completeJobs,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.predict(cmd, args[0], args[1:], o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.format, "format", "o", "csv", "print as `FORMAT`: csv, json or npy (the model's output)")
	f.StringVar(&o.input, "input-format", "", "read as `FORMAT`: csv, tsv, json, npy, parquet or image; default: by the file's name, csv for standard input")
	f.StringVar(&o.output, "output", "-", "write to `FILE`; \"-\" is standard output")
	f.StringVar(&o.images, "images", "", "draw records that are images, each with its prediction, as PNG files in `DIR`")
	f.IntVar(&o.batch, "batch", 256, "compute `N` records at a time; the predictions do not depend on it")
	oneOf(cmd, "format", "csv", "json", "npy")
	oneOf(cmd, "input-format", "csv", "tsv", "json", "npy", "parquet", "image")
	return a.remote(cmd)
}

func (a *app) predict(cmd *cobra.Command, name string, files []string, o predictOptions) error {
	switch {
	case !slices.Contains(predictFormats, o.format):
		return usageErrorf(cmd, "--format %q: want csv, json or npy", o.format)
	case !slices.Contains([]string{"", "csv", "tsv", "json", "npy", "parquet", "image"}, o.input):
		return usageErrorf(cmd, "--input-format %q: want csv, tsv, json, npy, parquet or image", o.input)
	case o.batch < 1 || o.batch > 1<<16:
		return usageErrorf(cmd, "--batch %d: want 1 to %d", o.batch, 1<<16)
	}
	m, err := a.useModel(cmd.Context(), name)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	return a.writeTo(o.output, 0o644, func(w io.Writer) error {
		out, err := infer.NewWriter(w, o.format, m)
		if err != nil {
			return err
		}
		r := &predicting{ctx: cmd.Context(), p: m.NewPredictor(o.batch), out: out}
		if o.images != "" {
			if r.drawn, err = infer.NewAlbum(o.images, m); err != nil {
				return err
			}
		}
		for _, file := range files {
			if err := a.predictFile(cmd.Context(), m, file, o.input, r.add); err != nil {
				return err
			}
		}
		return errors.Join(r.flush(), out.Close())
	})
}

// useModel opens the model that an argument names.
func (a *app) useModel(ctx context.Context, name string) (*infer.Model, error) {
	b, err := a.openModel(ctx, name)
	if err != nil {
		return nil, err
	}
	return infer.Open(b)
}

// writeTo has write write to a file, whole or not at all, or to standard output.
func (a *app) writeTo(path string, mode fs.FileMode, write func(w io.Writer) error) error {
	if path == "-" {
		return write(a.out)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = write(f)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// inputFormats tell a file by the end of its name; csv is for all others.
var inputFormats = map[string]string{".tsv": "tsv", ".json": "json", ".jsonl": "json", ".npy": "npy", ".parquet": "parquet",
	".png": "image", ".jpg": "image", ".jpeg": "image", ".gif": "image", ".bmp": "image", ".webp": "image"}

// predictFile reads a file's records.
func (a *app) predictFile(ctx context.Context, m *infer.Model, file, format string, add func(infer.Record) error) error {
	if format == "" {
		format = inputFormats[strings.ToLower(filepath.Ext(file))]
	}
	if format == "parquet" {
		if file == "-" {
			return errors.New("a parquet file is read from its end on: give its name instead of standard input")
		}
		return m.ReadParquet(ctx, file, add)
	}
	in := a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	switch format {
	case "tsv":
		return m.ReadTSV(file, in, add)
	case "json":
		return m.ReadJSON(file, in, add)
	case "npy":
		return m.ReadNpy(file, in, add)
	case "image":
		return m.ReadImage(file, in, add)
	}
	return m.ReadCSV(file, in, add)
}

// predicting gathers records and writes what is predicted.
type predicting struct {
	ctx     context.Context
	p       *infer.Predictor
	out     *infer.Writer
	drawn   *infer.Album
	records []infer.Record
}

func (r *predicting) add(rec infer.Record) error {
	if r.records = append(r.records, rec); len(r.records) < r.p.Rows() {
		return nil
	}
	return r.flush()
}

func (r *predicting) flush() error {
	if len(r.records) == 0 {
		return nil
	}
	if err := context.Cause(r.ctx); err != nil {
		return err
	}
	predictions, err := r.p.Predict(r.records)
	if err != nil {
		return err
	}
	for i, p := range predictions {
		if err := r.out.Write(p); err != nil {
			return fmt.Errorf("write predictions: %w", err)
		}
		if r.drawn != nil {
			if err := r.drawn.Draw(r.records[i], p); err != nil {
				return err
			}
		}
	}
	r.records = r.records[:0]
	return nil
}
