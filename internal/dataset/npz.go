package dataset

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// npzReader reads archives of arrays with Keras' names: x_train and y_train, x_val and y_val, x_test and y_test; those of
// another split may also be called x and y. Without y a record is its own target.
type npzReader struct {
	src    source.Tree
	lim    limits
	labels arrayLabels
}

func (r *npzReader) classNames() []string { return r.labels.names() }

func (r *npzReader) read(ctx context.Context, split string, files spec.Files) (*part, error) {
	if files.Images != "" || files.Labels != "" {
		return nil, errors.New(`an npz dataset names its archive as "file", not as "images" and "labels"`)
	}
	z, err := openArchive(ctx, r.src, files.File)
	if err != nil {
		return nil, err
	}
	defer r.lim.close(z)
	suffix := "_" + split
	if z.entry("x"+suffix) == nil {
		suffix = ""
	}
	x, err := z.array("x"+suffix, r.lim)
	if err != nil {
		return nil, err
	}
	if x == nil {
		return nil, z.fault(fmt.Errorf("no array x_%s or x; there are %s", split, listed(z.names())))
	}
	y, err := z.array("y"+suffix, r.lim)
	if err != nil {
		return nil, err
	}
	return r.labels.part(x, y, r.lim)
}

// hasTest tells whether an archive holds a test split of its own.
func (r *npzReader) hasTest(ctx context.Context, files spec.Files) (bool, error) {
	z, err := openArchive(ctx, r.src, files.File)
	if err != nil {
		return false, err
	}
	defer z.Close()
	return z.entry("x_test") != nil, nil
}

// archive is an open zip file.
type archive struct {
	source.File
	zip *zip.Reader
}

func openArchive(ctx context.Context, tree source.Tree, name string) (*archive, error) {
	f, err := tree.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, f.Size())
	if err != nil {
		f.Close()
		if errors.Is(err, zip.ErrFormat) {
			err = errors.New("not a zip archive, or a truncated one")
		}
		return nil, &RecordError{File: f.Name(), Err: err}
	}
	return &archive{File: f, zip: z}, nil
}

func (z *archive) fault(err error) error { return &RecordError{File: z.Name(), Err: err} }

func (z *archive) entry(name string) *zip.File {
	i := slices.IndexFunc(z.zip.File, func(f *zip.File) bool { return f.Name == name+".npy" })
	if i < 0 {
		return nil
	}
	return z.zip.File[i]
}

// names are those of the arrays.
func (z *archive) names() []string {
	var names []string
	for _, f := range z.zip.File {
		names = append(names, strings.TrimSuffix(f.Name, ".npy"))
	}
	return names
}

// An archive, or a gzipped file, is taken for a bomb if an entry is as large as this, and so much larger than what it was
// compressed to: no data but constants are.
const (
	bombBytes = 100 << 20
	bombRatio = 500
)

// array reads one array, nil if there is none of that name.
func (z *archive) array(name string, lim limits) (*array, error) {
	e := z.entry(name)
	if e == nil {
		return nil, nil
	}
	path := z.Name() + "/" + e.Name
	if e.UncompressedSize64 > bombBytes && e.UncompressedSize64/bombRatio > e.CompressedSize64 {
		return nil, &RecordError{File: path, Err: fmt.Errorf("%d bytes would become %d: this looks like a zip bomb", e.CompressedSize64, e.UncompressedSize64)}
	}
	r, err := e.Open()
	if err != nil {
		return nil, &RecordError{File: path, Err: err}
	}
	f := &file{Reader: bufio.NewReaderSize(r, 1<<16), path: path, f: r}
	if e.Method == zip.Store {
		from, err := e.DataOffset()
		if err != nil {
			return nil, &RecordError{File: path, Err: err}
		}
		f.at = io.NewSectionReader(z, from, int64(e.UncompressedSize64))
	}
	return readNpy(f, lim)
}
