package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// web is the tree below an http or https URL. It cannot be listed.
type web struct {
	base     *url.URL
	client   *http.Client
	cache    *Cache
	scratch  string // folder for files of servers without ranges; "": the system's
	patience patience
}

// maxSpool is the size of a file up to which it may come from a server without ranges.
const maxSpool = 64 << 30

func newWeb(u *url.URL, o *Options) *web {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true // ranges are of the file as it is
	t.ResponseHeaderTimeout = defaultPatience.block
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	return &web{base: u, client: &http.Client{Transport: t}, cache: o.Cache, scratch: o.Scratch, patience: defaultPatience}
}

func (t *web) url(name string) string {
	if name == "" {
		return t.base.String()
	}
	return t.base.JoinPath(strings.Split(name, "/")...).String()
}

// Open asks for the first block: that tells how long the file is, and whether the server has ranges.
func (t *web) Open(ctx context.Context, name string) (File, error) {
	if err := local(t.base.Redacted(), name); err != nil {
		return nil, err
	}
	w := &webFile{tree: t, url: t.url(name)}
	var first []byte
	err := t.patience.try(ctx, func(ctx context.Context) (err error) {
		first, err = w.open(ctx)
		return err
	})
	if err == nil && !w.ranges {
		return t.spool(ctx, w)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.name(), err)
	}
	r := &remote{name: w.name(), size: w.size, block: evenly(w.size), cache: t.cache, key: blockKey(w.name(), w.tag, w.size), fetch: w.block}
	if len(first) > 0 {
		r.cache.Put(r.key(0), first)
		r.remember(0, first)
	}
	return &section{ctx: ctx, of: r, name: w.name(), len: w.size}, nil
}

func (t *web) List(context.Context, string) ([]string, error) {
	return nil, fmt.Errorf("%s: a web server does not list its files: name them, or use another source", t.base.Redacted())
}

// webFile is a file of a web server.
type webFile struct {
	tree   *web
	url    string
	ranges bool
	size   int64
	tag    string // of this version of the file; "": the server does not tell
}

func (w *webFile) name() string {
	u, err := url.Parse(w.url)
	if err != nil {
		return w.url
	}
	return u.Redacted()
}

// get asks for bytes from up to, not including, to. The caller closes the body.
func (w *webFile) get(ctx context.Context, from, to int64) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return nil, &finalError{err}
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	reply, err := w.tree.client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which the caller puts before it
		}
		return nil, err
	}
	return reply, nil
}

// statusError is an answer that is no file.
func statusError(reply *http.Response) error {
	err := fmt.Errorf("the server says %s", reply.Status)
	if c := reply.StatusCode; c >= 500 || c == http.StatusTooManyRequests || c == http.StatusRequestTimeout {
		return err
	}
	if reply.StatusCode == http.StatusNotFound {
		err = fmt.Errorf("%w: %w", err, os.ErrNotExist)
	}
	return &finalError{err}
}

func (w *webFile) open(ctx context.Context) ([]byte, error) {
	reply, err := w.get(ctx, 0, blockSize)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	w.tag = reply.Header.Get("ETag") + reply.Header.Get("Last-Modified")
	switch reply.StatusCode {
	case http.StatusPartialContent:
	case http.StatusOK:
		w.ranges, w.size = false, reply.ContentLength
		return nil, nil
	case http.StatusRequestedRangeNotSatisfiable: // an empty file has no first byte
		w.ranges, w.size = true, 0
		if _, total, _ := strings.Cut(reply.Header.Get("Content-Range"), "/"); total == "0" {
			return nil, nil
		}
		return nil, statusError(reply)
	default:
		return nil, statusError(reply)
	}
	from, total, err := contentRange(reply)
	if err != nil || from != 0 {
		return nil, &finalError{fmt.Errorf("the server answers with the range %q", reply.Header.Get("Content-Range"))}
	}
	w.ranges, w.size = true, total
	return readAll(reply.Body, min(blockSize, total))
}

// contentRange reads "bytes FROM-TO/TOTAL".
func contentRange(reply *http.Response) (from, total int64, err error) {
	text, ok := strings.CutPrefix(reply.Header.Get("Content-Range"), "bytes ")
	span, all, ok2 := strings.Cut(text, "/")
	first, _, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, errors.New("no range")
	}
	if from, err = strconv.ParseInt(first, 10, 64); err != nil {
		return 0, 0, err
	}
	total, err = strconv.ParseInt(all, 10, 64)
	if err == nil && total <= from {
		err = errors.New("no range")
	}
	return from, total, err
}

// readAll reads exactly n bytes.
func readAll(r io.Reader, n int64) ([]byte, error) {
	data := make([]byte, n)
	got, err := io.ReadFull(r, data)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("the connection ended after %d of %d bytes", got, n)
	}
	return data, err
}

// block fetches a block.
func (w *webFile) block(ctx context.Context, i int) (data []byte, err error) {
	from := int64(i) * blockSize
	to := min(from+blockSize, w.size)
	err = w.tree.patience.try(ctx, func(ctx context.Context) error {
		reply, err := w.get(ctx, from, to)
		if err != nil {
			return err
		}
		defer reply.Body.Close()
		if reply.StatusCode != http.StatusPartialContent {
			return statusError(reply)
		}
		at, total, err := contentRange(reply)
		if err != nil || at != from || total != w.size || reply.Header.Get("ETag")+reply.Header.Get("Last-Modified") != w.tag {
			return &finalError{errChanged}
		}
		data, err = readAll(reply.Body, to-from)
		return err
	})
	return data, err
}

var errChanged = errors.New("the file was changed while it was read")
