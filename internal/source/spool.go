package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// spool fetches a whole file, of a server without ranges, into a file on this machine that has no name.
func (t *web) spool(ctx context.Context, w *webFile) (File, error) {
	f, err := os.CreateTemp(t.scratch, "spool-*")
	if err != nil {
		return nil, fmt.Errorf("%s: its server has no ranges, so it is copied here: %w", w.name(), err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	whole := *t
	whole.patience.block = t.patience.block * time.Duration(1+max(w.size, 0)/blockSize)
	err = whole.patience.try(ctx, func(ctx context.Context) error { return w.fetchAll(ctx, f) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.name(), errors.Join(err, f.Close()))
	}
	return &diskFile{File: f, ctx: ctx, path: w.name(), size: w.size}, nil
}

// fetchAll fetches all of the file into f, from its beginning.
func (w *webFile) fetchAll(ctx context.Context, f *os.File) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return &finalError{err}
	}
	reply, err := w.tree.client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return statusError(reply)
	}
	n, err := io.Copy(io.NewOffsetWriter(f, 0), io.LimitReader(reply.Body, maxSpool+1))
	switch {
	case err == io.ErrUnexpectedEOF:
		return fmt.Errorf("the connection ended after %d of %d bytes", n, reply.ContentLength)
	case err != nil:
		return err
	case n > maxSpool:
		return &finalError{fmt.Errorf("over the limit of %d bytes for a server without ranges", int64(maxSpool))}
	}
	w.size = n
	return f.Truncate(n)
}
