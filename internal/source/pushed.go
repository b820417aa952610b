package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strings"

	"lockstep/internal/manifest"
)

// pushed is the tree of a dataset that was pushed to the cluster.
type pushed struct {
	root  string // as messages call it
	files []manifest.File
	from  []int64 // where each file begins
	bytes *remote // of all files
}

// errOtherBytes is a chunk that is not what its hash says.
var errOtherBytes = errors.New("the chunk that came is not the one that was asked for")

// Pushed returns the files of a manifest. fetch returns the bytes of a chunk; what is fetched is verified, and kept in
// the cache, which may be nil.
func Pushed(root string, m *manifest.Manifest, cache *Cache, fetch func(context.Context, manifest.Hash) ([]byte, error)) Tree {
	t := &pushed{root: root, files: m.Files}
	at := int64(0)
	for _, f := range m.Files {
		t.from = append(t.from, at)
		at += f.Size
	}
	ends := make([]int64, len(m.Chunks)) // of the chunks
	end := int64(0)
	for i, c := range m.Chunks {
		end += int64(c.Size)
		ends[i] = end
	}
	t.bytes = &remote{name: root, size: at, cache: cache,
		block: func(off int64) (int, int64, int64) {
			i := sort.Search(len(ends), func(i int) bool { return ends[i] > off })
			return i, ends[i] - int64(m.Chunks[i].Size), ends[i]
		},
		key: func(i int) Key { return m.Chunks[i].Hash },
		fetch: func(ctx context.Context, i int) ([]byte, error) {
			data, err := fetch(ctx, m.Chunks[i].Hash)
			if err == nil && sha256.Sum256(data) != m.Chunks[i].Hash {
				err = errOtherBytes
			}
			if err != nil {
				return nil, fmt.Errorf("chunk %x: %w", m.Chunks[i].Hash[:6], err)
			}
			return data, nil
		}}
	return t
}

func (t *pushed) Open(ctx context.Context, name string) (File, error) {
	if name == "" && len(t.files) == 1 {
		name = t.files[0].Name
	}
	if err := local(t.root, name); err != nil {
		return nil, err
	}
	i := sort.Search(len(t.files), func(i int) bool { return t.files[i].Name >= name })
	if i == len(t.files) || t.files[i].Name != name {
		return nil, &fs.PathError{Op: "open", Path: join(t.root, name), Err: fs.ErrNotExist}
	}
	return &section{ctx: ctx, of: t.bytes, name: join(t.root, name), from: t.from[i], len: t.files[i].Size}, nil
}

func (t *pushed) List(_ context.Context, dir string) (names []string, err error) {
	if err := local(t.root, dir); err != nil {
		return nil, err
	}
	for _, f := range t.files {
		if dir == "" || strings.HasPrefix(f.Name, strings.TrimSuffix(dir, "/")+"/") {
			names = append(names, f.Name)
		}
	}
	if names == nil {
		return nil, &fs.PathError{Op: "open", Path: join(t.root, dir), Err: fs.ErrNotExist}
	}
	return names, nil
}

// join is the name of a file in messages.
func join(root, name string) string {
	if name == "" {
		return root
	}
	return strings.TrimSuffix(root, "/") + "/" + name
}
