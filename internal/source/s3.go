package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 is an object store and who reads from it. Without a key it is read anonymously.
type S3 struct {
	Endpoint string // URL; default: Amazon's
	Region   string
	Key      string
	Secret   string
	Token    string // of a session; "": none
}

// S3FromEnv reads the environment variables that AWS's own tools read.
func S3FromEnv(getenv func(string) string) S3 {
	first := func(names ...string) string {
		for _, n := range names {
			if v := getenv(n); v != "" {
				return v
			}
		}
		return ""
	}
	return S3{
		Endpoint: first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), Region: first("AWS_REGION", "AWS_DEFAULT_REGION"),
		Key: first("AWS_ACCESS_KEY_ID"), Secret: first("AWS_SECRET_ACCESS_KEY"), Token: first("AWS_SESSION_TOKEN"),
	}
}

const amazon = "https://s3.amazonaws.com"

// bucket is the tree of the objects of a bucket whose names begin with a prefix.
type bucket struct {
	core     *minio.Core
	name     string
	prefix   string // "", or without slashes at its ends
	cache    *Cache
	patience patience
}

// newBucket opens s3://BUCKET/PREFIX.
func newBucket(u *url.URL, o *Options) (*bucket, error) {
	endpoint := o.S3.Endpoint
	region := o.S3.Region
	if endpoint == "" {
		endpoint = amazon // which knows the region of a bucket
	} else if region == "" {
		region = "us-east-1" // what other stores take for any
	}
	e, err := url.Parse(endpoint)
	if err != nil || e.Host == "" || e.Scheme != "http" && e.Scheme != "https" {
		return nil, fmt.Errorf("endpoint %q of the object store: want a URL such as https://s3.example.org", endpoint)
	}
	core, err := minio.NewCore(e.Host, &minio.Options{
		Creds: credentials.NewStaticV4(o.S3.Key, o.S3.Secret, o.S3.Token), Secure: e.Scheme == "https", Region: region,
		MaxRetries: 1, // the patience is ours
	})
	if err != nil {
		return nil, fmt.Errorf("object store %s: %w", endpoint, err)
	}
	return &bucket{core: core, name: u.Host, prefix: strings.Trim(u.Path, "/"), cache: o.Cache, patience: defaultPatience}, nil
}

func (t *bucket) root() string { return join("s3://"+t.name, t.prefix) }

// object is the name of a file's object.
func (t *bucket) object(name string) string {
	return strings.Trim(join(t.prefix, name), "/")
}

func (t *bucket) Open(ctx context.Context, name string) (File, error) {
	if err := local(t.root(), name); err != nil {
		return nil, err
	}
	object, shown := t.object(name), join(t.root(), name)
	if object == "" {
		return nil, fmt.Errorf("%s is a bucket: name the file inside it", shown)
	}
	var info minio.ObjectInfo
	err := t.patience.try(ctx, func(ctx context.Context) (err error) {
		info, err = t.core.StatObject(ctx, t.name, object, minio.StatObjectOptions{})
		return s3Error(err)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	r := &remote{name: shown, size: info.Size, block: evenly(info.Size), cache: t.cache,
		key:   blockKey(t.core.EndpointURL().String()+" "+shown, info.ETag, info.Size),
		fetch: func(ctx context.Context, i int) ([]byte, error) { return t.fetch(ctx, object, info, i) }}
	return &section{ctx: ctx, of: r, name: shown, len: info.Size}, nil
}

func (t *bucket) fetch(ctx context.Context, object string, info minio.ObjectInfo, i int) (data []byte, err error) {
	from := int64(i) * blockSize
	to := min(from+blockSize, info.Size)
	err = t.patience.try(ctx, func(ctx context.Context) error {
		var o minio.GetObjectOptions
		if err := errors.Join(o.SetRange(from, to-1), o.SetMatchETag(info.ETag)); err != nil {
			return &finalError{err}
		}
		body, _, _, err := t.core.GetObject(ctx, t.name, object, o)
		if err != nil {
			return s3Error(err)
		}
		defer body.Close()
		data, err = readAll(io.LimitReader(body, to-from), to-from)
		return err
	})
	return data, err
}

// s3Error tells errors that a further try may mend from those that it cannot, and says what the store said.
func s3Error(err error) error {
	var e minio.ErrorResponse
	if err == nil || !errors.As(err, &e) || e.StatusCode == 0 {
		return err
	}
	said := fmt.Errorf("the object store says %s: %s", e.Code, strings.TrimSuffix(e.Message, "."))
	switch c := e.StatusCode; {
	case c == http.StatusPreconditionFailed:
		return &finalError{errChanged}
	case c >= 500, c == http.StatusTooManyRequests, c == http.StatusRequestTimeout:
		return said
	case c == http.StatusNotFound:
		return &finalError{fmt.Errorf("%w: %w", said, os.ErrNotExist)}
	}
	return &finalError{said}
}

func (t *bucket) List(ctx context.Context, dir string) (names []string, err error) {
	if err := local(t.root(), dir); err != nil {
		return nil, err
	}
	prefix := t.object(strings.TrimSuffix(dir, "/"))
	if prefix != "" {
		prefix += "/"
	}
	base := ""
	if t.prefix != "" {
		base = t.prefix + "/"
	}
	err = t.patience.try(ctx, func(ctx context.Context) (err error) {
		names, err = t.list(ctx, prefix, base)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", join(t.root(), dir), err)
	}
	slices.Sort(names)
	return names, nil
}

// list gives the names of the objects with a prefix, without base. Markers of folders are left out.
func (t *bucket) list(ctx context.Context, prefix, base string) (names []string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing where it is not read to its end
	for o := range t.core.Client.ListObjects(ctx, t.name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		name := strings.TrimPrefix(o.Key, base)
		switch {
		case o.Err != nil:
			return nil, s3Error(o.Err)
		case strings.HasSuffix(o.Key, "/"):
		case len(names) == mostFiles:
			return nil, &finalError{fmt.Errorf("more than %d objects", mostFiles)}
		case local(t.root(), name) != nil:
			return nil, &finalError{local(t.root(), name)}
		default:
			names = append(names, name)
		}
	}
	return names, nil
}

// blockKey names the blocks of one version of a file.
func blockKey(name, tag string, size int64) func(i int) Key {
	return func(i int) Key {
		return sha256.Sum256([]byte(strings.Join([]string{name, tag, strconv.FormatInt(size, 10), strconv.Itoa(i)}, "\x00")))
	}
}
