package source

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// Options say how sources elsewhere are reached.
type Options struct {
	Cache   *Cache // for what is fetched; nil: nothing is kept
	Scratch string // folder for files without names; "": the system's for temporary ones
	S3      S3
	Roots   Roots // folders that local sources may lie in; none: they may lie anywhere
	// Pushed opens the pushed dataset of a name; nil: there are none.
	Pushed func(ctx context.Context, name string) (Tree, error)
}

// Open returns the tree at a file, http, https, s3 or dataset URL, or at a bare path.
func (o *Options) Open(ctx context.Context, source string) (Tree, error) {
	switch path, local, err := localPath(source); {
	case err != nil:
		return nil, err
	case local:
		return folder{path, o.Roots}, nil
	}
	scheme, rest, _ := strings.Cut(source, "://")
	u, err := url.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", source, err)
	}
	switch scheme {
	case "http", "https":
		return newWeb(u, o), nil
	case "s3":
		return newBucket(u, o)
	case "dataset":
		if o.Pushed == nil {
			return nil, fmt.Errorf("source %q: pushed datasets are at a cluster, and there is none here", source)
		}
		return o.Pushed(ctx, rest)
	}
	return nil, fmt.Errorf("source %q: %s is not supported: want file, http, https, s3 or dataset", source, scheme)
}

// localPath is the path on this machine that a file URL or a bare path names, and whether the source is one.
func localPath(source string) (path string, local bool, err error) {
	scheme, _, ok := strings.Cut(source, "://")
	switch {
	case !ok:
		return filepath.FromSlash(source), true, nil
	case scheme != "file":
		return "", false, nil
	}
	u, err := url.Parse(source)
	if err != nil {
		return "", true, fmt.Errorf("source %q: %w", source, err)
	}
	if u.Host != "" && u.Host != "localhost" {
		return "", true, fmt.Errorf("source %q: a file URL has an absolute path after file://", source)
	}
	return filepath.FromSlash(u.Path), true, nil
}

// Open returns the tree at a URL or a bare path, without a cache, a cluster, or credentials.
func Open(source string) (Tree, error) { return new(Options).Open(context.Background(), source) }
