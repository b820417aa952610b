package dataset

import (
	"context"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// Options say how a dataset is reached and kept; the zero value is for files that lie on this machine.
type Options struct {
	// Tree opens a source; nil: source.Open.
	Tree func(ctx context.Context, source string) (source.Tree, error)
	// Memory is how many bytes of decoded records are held in memory; what is more is read from its file, where the place of a
	// record can be told, or lies in a file without a name in the folder Dir. 0: all are held. Targets, at most 4 bytes a number
	// or label, are held in any case.
	Memory int64
	Dir    string // "": the system's folder for temporary files
}

func (o *Options) tree(ctx context.Context, d *spec.Dataset) (source.Tree, error) {
	open := o.Tree
	if open == nil {
		open = func(_ context.Context, s string) (source.Tree, error) { return source.Open(s) }
	}
	t, err := open(ctx, d.Source)
	if err != nil {
		return nil, err
	}
	return source.Checked(t, d.Checksums), nil
}
