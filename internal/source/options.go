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
	// Pushed opens the pushed dataset of a name; nil: there are none.
	Pushed func(ctx context.Context, name string) (Tree, error)
}

// Open returns the tree at a file, http, https, s3 or dataset URL, or at a bare path.
func (o *Options) Open(ctx context.Context, source string) (Tree, error) {
	scheme, rest, ok := strings.Cut(source, "://")
	if !ok {
		return folder{filepath.FromSlash(source)}, nil
	}
	u, err := url.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", source, err)
	}
	switch scheme {
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return nil, fmt.Errorf("source %q: a file URL has an absolute path after file://", source)
		}
		return folder{filepath.FromSlash(u.Path)}, nil
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

// Open returns the tree at a URL or a bare path, without a cache, a cluster, or credentials.
func Open(source string) (Tree, error) { return new(Options).Open(context.Background(), source) }
