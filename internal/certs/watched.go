package certs

import (
	"os"
	"slices"
	"sync"
	"time"
)

// Watched is what some files hold, read again when one of them has changed. As long as a new version cannot be read the
// one before it stays. It is safe for concurrent use.
type Watched[T any] struct {
	paths []string
	read  func() (T, error)

	mu    sync.Mutex
	seen  []version // of the files; under mu
	value T         // under mu
}

// version tells whether a file has changed.
type version struct {
	at   time.Time
	size int64
}

// Watch reads the files for the first time, and says what is wrong with them. read reads all of them.
func Watch[T any](read func() (T, error), paths ...string) (*Watched[T], error) {
	w := &Watched[T]{paths: paths, read: read}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w, w.update(w.versions())
}

// Now is what the files hold.
func (w *Watched[T]) Now() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.versions(); !slices.Equal(v, w.seen) {
		_ = w.update(v) // the value stays
	}
	return w.value
}

func (w *Watched[T]) versions() []version {
	out := make([]version, len(w.paths))
	for i, path := range w.paths {
		if info, err := os.Stat(path); err == nil {
			out[i] = version{info.ModTime(), info.Size()}
		}
	}
	return out
}

// update reads all files, or changes nothing.
//
// REQUIRES: w.mu
func (w *Watched[T]) update(seen []version) error {
	value, err := w.read()
	if err == nil {
		w.value, w.seen = value, seen
	}
	return err
}
