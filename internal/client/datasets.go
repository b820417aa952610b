package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/manifest"
	"lockstep/internal/source"
)

// Pushed tells what a push did.
type Pushed struct {
	Dataset *lockstepv1.Dataset // without its manifest
	Chunks  int                 // in all
	Sent    int                 // that were not there
}

// pushers is how many chunks are on their way at a time.
const pushers = 4

// putTimeout bounds the sending of one chunk.
const putTimeout = time.Minute

// Push puts the file or folder at a path into the cluster as the dataset of that name, in the place of one that had it.
// Only chunks that are not there are sent, so a push that was interrupted goes on where it was, and one of the same bytes
// sends nothing. progress hears of chunks that are there, out of all.
func (c *Client) Push(ctx context.Context, name, file string, progress func(there, all int)) (Pushed, error) {
	names, tree, err := pushedFiles(ctx, file)
	if err != nil {
		return Pushed{}, err
	}
	open := func(name string) (io.ReadCloser, error) { return tree.Open(ctx, name) }
	m, err := manifest.Cut(names, open, func(int, []byte) error { return nil })
	if err != nil {
		return Pushed{}, err
	}
	encoded, _ := m.Encode()
	r := &lockstepv1.PushDatasetRequest{RequestId: rand.Text(), Name: name, Manifest: encoded}
	p := Pushed{Chunks: len(m.Chunks)}
	for {
		reply, err := c.PushDataset(ctx, r)
		if err != nil {
			return p, err
		}
		if p.Dataset = reply.Dataset; p.Dataset != nil {
			return p, nil
		}
		s := sender{c: c, m: m, missing: map[int]bool{}, progress: progress}
		for _, i := range reply.Missing {
			s.missing[int(i)] = true
		}
		if err := s.send(ctx, names, open); err != nil {
			return p, err
		}
		p.Sent += len(reply.Missing)
	}
}

// pushedFiles lists the files at a path: of a folder all in it; a file alone keeps its name.
func pushedFiles(ctx context.Context, file string) ([]string, source.Tree, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, nil, err
	}
	dir := file
	if !info.IsDir() {
		dir = filepath.Dir(file)
	}
	tree, err := source.Open(dir)
	if err != nil || !info.IsDir() {
		return []string{filepath.Base(file)}, tree, err
	}
	names, err := tree.List(ctx, "")
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s has no files", file)
	}
	return names, tree, err
}

// sender puts the missing chunks.
type sender struct {
	c        *Client
	m        *manifest.Manifest
	missing  map[int]bool
	progress func(there, all int)
}

func (s *sender) send(ctx context.Context, names []string, open func(string) (io.ReadCloser, error)) error {
	there := len(s.m.Chunks) - len(s.missing)
	s.progress(there, len(s.m.Chunks))
	g, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, pushers)
	_, err := manifest.Cut(names, open, func(i int, chunk []byte) error {
		if i >= len(s.m.Chunks) || sha256.Sum256(chunk) != s.m.Chunks[i].Hash {
			return errors.New("the files have changed while they were pushed")
		}
		if !s.missing[i] {
			return context.Cause(ctx)
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		there++
		s.progress(there, len(s.m.Chunks))
		data := append([]byte(nil), chunk...)
		g.Go(func() error {
			defer func() { <-slots }()
			return s.c.put(ctx, data)
		})
		return nil
	})
	if failed := g.Wait(); failed != nil {
		return failed
	}
	return err
}

// put stores a chunk.
func (c *Client) put(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	_, err := c.PutChunk(ctx, &lockstepv1.PutChunkRequest{Data: data})
	return err
}

// Dataset returns the files of a pushed dataset, in the version with this root hash; without one the newest. Only what is
// read is fetched, and verified; cache keeps it, unless it is nil.
func (c *Client) Dataset(ctx context.Context, name string, root []byte, cache *source.Cache) (source.Tree, error) {
	d, err := c.GetDataset(ctx, &lockstepv1.GetDatasetRequest{Name: name, Root: root})
	if status.Code(err) == codes.NotFound && len(root) > 0 {
		return nil, fmt.Errorf("dataset %q has been deleted, or pushed again since: version %x is not there any more", name, root[:6])
	}
	if err != nil {
		return nil, err
	}
	m, err := manifest.Decode(d.Manifest)
	if err != nil {
		return nil, fmt.Errorf("dataset %q: %w", name, err)
	}
	if _, got := m.Encode(); string(got[:]) != string(d.Root) || len(root) > 0 && string(got[:]) != string(root) {
		return nil, fmt.Errorf("dataset %q: %w: its root hash is %x, want %x", name, manifest.ErrInvalid, got[:6], root)
	}
	return source.Pushed("dataset://"+name, m, cache, func(ctx context.Context, h manifest.Hash) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, putTimeout)
		defer cancel()
		r, err := c.GetChunk(ctx, &lockstepv1.GetChunkRequest{Hash: h[:]})
		return r.GetData(), err
	}), nil
}
