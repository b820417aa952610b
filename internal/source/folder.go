package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// folder is the tree of a folder, or of a single file, on this machine.
type folder struct {
	root  string
	roots Roots // that it may lie in
}

func (t folder) Open(ctx context.Context, name string) (File, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	f, err := t.open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder: name the file inside it", t.path(name))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &diskFile{File: f, ctx: ctx, path: t.path(name), size: info.Size()}, nil
}

// open does not follow a link out of the folder.
func (t folder) open(name string) (*os.File, error) {
	if name == "" {
		return t.roots.openFile(t.root)
	}
	if err := local(t.root, name); err != nil {
		return nil, err
	}
	root, err := t.roots.openFolder(t.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	return f, t.named(name, err)
}

// named tells of the whole path where os.Root tells of the name.
func (t folder) named(name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return &fs.PathError{Op: "open", Path: t.path(name), Err: p.Err}
	}
	return err
}

func (t folder) path(name string) string { return filepath.Join(t.root, filepath.FromSlash(name)) }

// List leaves out links to folders: they may lead in circles.
func (t folder) List(ctx context.Context, dir string) ([]string, error) {
	if err := local(t.root, dir); err != nil {
		return nil, err
	}
	root, err := t.roots.openFolder(t.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var names []string
	err = fs.WalkDir(root.FS(), path.Clean(dir), func(name string, e fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil || e.IsDir() {
			return t.named(name, err)
		}
		if info, err := root.Stat(filepath.FromSlash(name)); err != nil {
			return t.named(name, err)
		} else if info.Mode().IsRegular() {
			names = append(names, name)
		}
		if len(names) > mostFiles {
			return fmt.Errorf("%s has more than %d files", t.path(dir), mostFiles)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// diskFile stops reading when its context is done.
type diskFile struct {
	*os.File
	ctx  context.Context
	path string
	size int64
}

func (f *diskFile) Size() int64  { return f.size }
func (f *diskFile) Name() string { return f.path }

func (f *diskFile) Read(p []byte) (int, error) {
	if err := context.Cause(f.ctx); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f *diskFile) ReadAt(p []byte, at int64) (int, error) {
	if err := context.Cause(f.ctx); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}
