package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/artifact"
	"lockstep/internal/bundle"
	"lockstep/internal/ckpt"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/export"
	"lockstep/internal/export/onnx"
	"lockstep/internal/export/torch"
	"lockstep/internal/job"
)

// The formats of an exported model, with what the names of their files end with.
const safetensors = "safetensors"

var modelFormats = map[string]string{safetensors: ".safetensors", "bundle": ".bundle.safetensors", "onnx": ".onnx"}

// exportOptions say what an export writes.
type exportOptions struct {
	format, layout, which, output string
	batch                         int
}

func (a *app) exportCommand() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export JOB",
		Short: "Write the model of a job to a file",
		Long: `Writes the model in a job's newest committed checkpoint to a file, after verifying every byte of it.

  safetensors  the tensors, with Keras' names and layouts; of a job that SUCCEEDED, the file's SHA-256 is the job's model
               digest; if it is not, nothing is written and the exit code is 7
  bundle       safetensors with the specification and the fitted preprocessing in its metadata: all that "model predict",
               "model evaluate", "model generate" and "serve" need
  onnx         ONNX, operator set 11; input "input" (channels last), output "output"; classes and preprocessing are in
               the metadata. A layer that ONNX does not have is named

--layout torch gives safetensors PyTorch's names and layouts, as load_state_dict takes them.`,
		Example: `  lockstep model export digits-mlp --format safetensors --output digits.safetensors
  lockstep model export digits-mlp --output - | sha256sum
  lockstep model export digits-mlp --format onnx
  lockstep model export digits-mlp --layout torch --output digits-torch.safetensors
  lockstep model export digits-mlp --format bundle && lockstep model predict digits-mlp.bundle.safetensors new.csv`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(cmd); err != nil {
				return err
			}
			return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				find, cancel := context.WithTimeout(ctx, callTimeout)
				defer cancel()
				j, err := findJob(find, c, args[0])
				if err != nil {
					return err
				}
				return a.exportModel(ctx, c, j, o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", safetensors, "`FORMAT` of the file: safetensors, bundle or onnx")
	f.StringVar(&o.layout, "layout", "keras", "names and layouts of safetensors: keras or torch")
	f.StringVar(&o.which, "which", "", "the state to take, last or best; default: what the specification says")
	f.IntVar(&o.batch, "batch", 0, "onnx: fix the number of records at a time to `N`, which some runtimes need (OpenCV's LSTM); 0: any")
	f.StringVar(&o.output, "output", "", "write to `FILE`; \"-\" is standard output; default: JOB's name with .safetensors, .bundle.safetensors or .onnx")
	oneOf(cmd, "format", slices.Sorted(maps.Keys(modelFormats))...)
	oneOf(cmd, "layout", "keras", "torch")
	oneOf(cmd, "which", job.Last, job.Best)
	return a.data(a.remote(cmd))
}

func (o *exportOptions) validate(cmd *cobra.Command) error {
	switch {
	case modelFormats[o.format] == "":
		return usageErrorf(cmd, "--format %q: want safetensors, bundle or onnx", o.format)
	case o.layout != "keras" && o.layout != "torch":
		return usageErrorf(cmd, "--layout %q: want keras or torch", o.layout)
	case o.layout == "torch" && o.format != safetensors:
		return usageErrorf(cmd, "--layout torch is for --format safetensors, not %s", o.format)
	case !slices.Contains([]string{"", "last", "best"}, o.which):
		return usageErrorf(cmd, "--which %q: want last or best", o.which)
	case o.batch < 0 || o.batch > 0 && o.format != "onnx":
		return usageErrorf(cmd, "--batch %d: want 0 or more, with --format onnx", o.batch)
	}
	return nil
}

// exported is what an export tells of itself.
type exported struct {
	Job    string `json:"job"`
	Step   uint64 `json:"step"`
	File   string `json:"file"`
	Format string `json:"format"`
	Bytes  int64  `json:"bytes"`
	Digest string `json:"digest"` // SHA-256 of the file
}

func (a *app) exportModel(ctx context.Context, c *client.Client, j *lockstepv1.Job, o exportOptions) error {
	s, err := newestState(ctx, c, j)
	if err != nil {
		return err
	}
	if o.output == "-" {
		fill, err := o.content(j, s)
		if err != nil {
			return err
		}
		done, err := artifact.Stream(a.out, fill)
		if err != nil {
			return err
		}
		a.sayf("model of job %s at step %d: %d bytes, %s", j.Id, s.Step, done.Bytes, done.Digest)
		return nil
	}
	e, err := writeModel(j, s, o)
	if err != nil {
		return err
	}
	if j.ModelDigest == "" {
		a.sayf("job %s has not ended: this is its model at step %d", j.Id, e.Step)
	}
	return a.print(printed{value: e, names: []string{e.File}, table: func(w io.Writer, _ bool) error {
		var f console.Facts
		f.Add("model file", e.File)
		f.Add("size", size(e.Bytes))
		f.Add("digest", e.Digest)
		return f.Write(w)
	}})
}

// writeModel writes the model in a job's state to a file, by default one with the job's name.
func writeModel(j *lockstepv1.Job, s *ckpt.State, o exportOptions) (exported, error) {
	if o.output == "" {
		o.output = j.Name + modelFormats[o.format]
	}
	fill, err := o.content(j, s)
	if err != nil {
		return exported{}, err
	}
	done, err := artifact.Create(o.output, "", fill)
	return exported{Job: j.Id, Step: s.Step, File: o.output, Format: o.format, Bytes: done.Bytes, Digest: done.Digest}, err
}

// content is what writes the file. A model that should have the job's digest has it.
func (o *exportOptions) content(j *lockstepv1.Job, s *ckpt.State) (func(io.Writer) error, error) {
	result, last := artifact.Tensors(s), artifact.LastTensors(s)
	tensors := result
	switch kept := slices.ContainsFunc(s.Tensors, func(t ckpt.Tensor) bool {
		return len(t.Name) > len(artifact.ExportPrefix) && t.Name[:len(artifact.ExportPrefix)] == artifact.ExportPrefix
	}); {
	case o.which == "last":
		tensors = last
	case o.which == "best" && !kept:
		return nil, errNoBest
	}
	if o.which != "last" && j.ModelDigest != "" {
		if err := artifact.Check(result, j.ModelDigest); err != nil {
			return nil, err
		}
	}
	if o.format == safetensors && o.layout != "torch" {
		return func(w io.Writer) error { return export.WriteSafetensors(w, tensors) }, nil
	}
	b, err := bundle.FromState(j.Spec, s, o.which == "last")
	if err != nil {
		return nil, err
	}
	return o.convert(b)
}

// convert is what writes a bundle in another form than the canonical one.
func (o *exportOptions) convert(b *bundle.Bundle) (func(io.Writer) error, error) {
	if o.format == "bundle" {
		return b.Write, nil
	}
	net, err := b.Network()
	if err != nil {
		return nil, err
	}
	if o.format == "onnx" {
		metadata, err := onnxMetadata(b)
		if err != nil {
			return nil, err
		}
		return func(w io.Writer) error {
			return onnx.Write(w, net, b.Tensors, onnx.Options{Name: b.Spec.Metadata.Name, Metadata: metadata, Batch: o.batch})
		}, nil
	}
	tensors, err := torch.FromCanonical(net, b.Tensors)
	return func(w io.Writer) error { return export.WriteSafetensors(w, tensors) }, err
}

// onnxMetadata is a bundle's description, and the parts of it that any program may want by themselves.
func onnxMetadata(b *bundle.Bundle) (map[string]string, error) {
	metadata, err := b.Metadata()
	if err != nil {
		return nil, err
	}
	for key, value := range map[string]any{"classes": b.Data.Classes, "preprocessing": b.Data.Preprocessing, "columns": b.Data.Columns} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("describe model: %w", err)
		}
		if string(text) != "null" {
			metadata[key] = string(text)
		}
	}
	if metadata["model_digest"], err = export.Digest(b.Tensors); err != nil {
		return nil, err
	}
	return metadata, nil
}

// exportAll writes a job's result in the formats that its specification names, to files named after it in the working
// directory; output is that of the first, "" for its default.
func (a *app) exportAll(ctx context.Context, c *client.Client, j *lockstepv1.Job, formats []string, output string) (files []string, err error) {
	s, err := newestState(ctx, c, j)
	if err != nil {
		return nil, err
	}
	for i, format := range formats {
		o := exportOptions{format: format}
		if i == 0 {
			o.output = output
		}
		e, err := writeModel(j, s, o)
		if err != nil {
			return files, err
		}
		files = append(files, e.File)
	}
	return files, nil
}
