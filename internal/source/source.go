// Package source opens the files that datasets are made of, wherever they lie.
//
// A [Tree] is a place with named files in it. A name has slashes between its parts and stays inside the tree: one with
// "..", an absolute one, or a symbolic link that leads out of it, is refused. What a file's bytes mean is not known here:
// compression and formats are the reader's business.
package source

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
)

// Tree is a place that has files.
type Tree interface {
	// Open opens the named file. The name "" is the place itself, where that is a file. The context bounds the opening
	// and all reads.
	Open(ctx context.Context, name string) (File, error)
	// List returns the names of all files below the folder dir, "" for the whole tree, at any depth, as Open takes them and
	// in the order of their bytes.
	List(ctx context.Context, dir string) ([]string, error)
}

// File is an open file. Read and Close are for one goroutine; ReadAt is for any number, and does not move Read.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
	Size() int64  // bytes
	Name() string // as messages call it: the path of a file, the URL of an object
}

// mostFiles is how many names List returns at most.
const mostFiles = 1 << 22

// local returns an error unless the name stays inside the tree called root.
func local(root, name string) error {
	if name != "" && !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("file %q is not inside the source %s", name, root)
	}
	return nil
}
