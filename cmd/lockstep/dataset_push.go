package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/dataset"
	"lockstep/internal/flagenv"
	"lockstep/internal/job"
	"lockstep/internal/source"
	"lockstep/internal/spec"
)

func (a *app) pushCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "push NAME PATH",
		Short: "Put a file or a folder into the cluster, for jobs to read",
		Long: `Puts the files at PATH, a file or a folder, into the cluster under NAME. Specifications name it as source: dataset://NAME, and
workers anywhere fetch what they read of it; no shared folder is needed.

Its bytes lie in chunks, by their SHA-256, on a majority of the coordinators. What is there already is not sent again: a push that
was interrupted goes on, and one of the same files does nothing. A push under a name that is taken replaces the dataset for jobs
that are submitted from then on; a job reads what was there when it was submitted.`,
		Example: `  lockstep dataset push digits examples/data/digits.csv.gz
  lockstep dataset push fashion /usr/share/datasets/fashion-mnist
  lockstep job submit job.yaml --set dataset.source=dataset://fashion`,
		Args: wants("NAME", "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !spec.ValidName(args[0]) {
				return usageErrorf(cmd, "name %q: want small letters, digits, '-' and '_', up to 63", args[0])
			}
			if _, err := os.Stat(args[1]); err != nil {
				return exitErrorf(codeNotFound, "push dataset: %w", err)
			}
			return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) error { return a.push(ctx, c, args[0], args[1]) })
		},
	}
	return a.data(a.remote(cmd))
}

// pushNote is how often a push tells how far it is.
const pushNote = 5 * time.Second

func (a *app) push(ctx context.Context, c *client.Client, name, path string) error {
	told := time.Now()
	p, err := c.Push(ctx, name, path, func(there, all int) {
		if time.Since(told) > pushNote {
			told = time.Now()
			a.sayf("%d of %d chunks are there", there, all)
		}
	})
	if interrupted(ctx) {
		a.sayf("interrupted; the same command goes on with what is missing")
		return errInterrupted
	}
	if err != nil {
		return fmt.Errorf("push dataset %s: %w", name, answer(err))
	}
	a.sayf("%d of %d chunks were sent", p.Sent, p.Chunks)
	return a.printDatasets([]*lockstepv1.Dataset{p.Dataset}, job.DatasetViewOf(p.Dataset))
}

func (a *app) datasetListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the datasets that were pushed to the cluster",
		Example: `  lockstep dataset list
  lockstep dataset list -o json`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				r, err := c.ListDatasets(ctx, &lockstepv1.ListDatasetsRequest{})
				if err != nil {
					return answer(err)
				}
				views := []job.DatasetView{}
				for _, d := range r.Datasets {
					views = append(views, job.DatasetViewOf(d))
				}
				return a.printDatasets(r.Datasets, views)
			})
		},
	}
	return a.data(a.remote(cmd))
}

func (a *app) printDatasets(list []*lockstepv1.Dataset, value any) error {
	p := printed{value: value}
	g := console.Grid{Columns: []console.Column{{Name: "NAME"}, {Name: "SOURCE"}, {Name: "FILES"}, {Name: "BYTES"}, {Name: "AGE"}, {Name: "ROOT", Wide: true}}}
	for _, d := range list {
		v := job.DatasetViewOf(d)
		p.names = append(p.names, v.Name)
		g.Add(v.Name, v.Source, strconv.FormatUint(v.Files, 10), strconv.FormatInt(v.Size, 10), ago(v.Pushed), v.Root)
	}
	p.table = func(w io.Writer, wide bool) error { return g.Write(w, wide) }
	return a.print(p)
}

func (a *app) datasetDeleteCommand() *cobra.Command {
	return a.data(a.remote(&cobra.Command{
		Use:               "delete NAME",
		Aliases:           []string{"rm"},
		Short:             "Delete a dataset from the cluster",
		Long:              `Deletes a dataset that was pushed, unless a job that has not ended reads it. Its bytes go a while later.`,
		Example:           `  lockstep dataset delete digits`,
		Args:              wants("NAME"),
		ValidArgsFunction: a.completeDatasets,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				if _, err := c.DeleteDataset(ctx, &lockstepv1.DeleteDatasetRequest{Name: args[0]}); err != nil {
					return answer(err)
				}
				a.sayf("deleted dataset %s", args[0])
				return a.printDeleted(args)
			})
		},
	}))
}

// printDeleted prints the names of what is no more.
func (a *app) printDeleted(names []string) error {
	return a.print(printed{value: names, names: names, table: func(w io.Writer, _ bool) error {
		for _, name := range names {
			if _, err := fmt.Fprintln(w, name); err != nil {
				return err
			}
		}
		return nil
	}})
}

// withData runs f with how a source is reached from here; a pushed dataset is at the cluster.
func (a *app) withData(ctx context.Context, from string, f func(context.Context, dataset.Options) error) error {
	if !strings.HasPrefix(from, spec.DatasetScheme) {
		return f(ctx, dataOptions(nil, nil))
	}
	return a.connected(ctx, func(ctx context.Context, c *client.Client) error { return f(ctx, dataOptions(c, nil)) })
}

// dataOptions reaches sources from here, and pushed datasets through a client, unless that is nil, in the version with this
// root; without one, as they are now. What does not fit into half of the memory lies on disk.
func dataOptions(c *client.Client, root []byte) dataset.Options {
	o := source.Options{S3: objectStore()}
	if c != nil {
		o.Pushed = func(ctx context.Context, name string) (source.Tree, error) {
			t, err := c.Dataset(ctx, name, root, nil)
			return t, answer(err)
		}
	}
	return dataset.Options{Tree: o.Open, Memory: int64(flagenv.HalfOfMemory())}
}

// objectStore is where s3 sources are, as AWS's own tools find it.
func objectStore() source.S3 { return source.S3FromEnv(os.Getenv) }
