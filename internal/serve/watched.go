package serve

import (
	"os"
	"slices"
	"sync"
	"time"
)

// watched is what some files hold, read again when one of them has changed. As long as a new version cannot be read the
// one before it stays.
type watched[T any] struct {
	paths []string
	parse func(texts [][]byte) (T, error)

	mu    sync.Mutex
	seen  []stamp // of the files; under mu
	value T       // under mu
}

// stamp tells whether a file has changed.
type stamp struct {
	at   time.Time
	size int64
}

// watch reads the files for the first time, and says what is wrong with them.
func watch[T any](parse func(texts [][]byte) (T, error), paths ...string) (*watched[T], error) {
	w := &watched[T]{paths: paths, parse: parse}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w, w.read(w.stamps())
}

// now is what the files hold.
func (w *watched[T]) now() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.stamps(); !slices.Equal(v, w.seen) {
		_ = w.read(v) // the value stays
	}
	return w.value
}

func (w *watched[T]) stamps() []stamp {
	out := make([]stamp, len(w.paths))
	for i, path := range w.paths {
		if info, err := os.Stat(path); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

// read reads all files, or changes nothing.
//
// REQUIRES: w.mu
func (w *watched[T]) read(seen []stamp) error {
	var texts [][]byte
	for _, path := range w.paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	value, err := w.parse(texts)
	if err == nil {
		w.value, w.seen = value, seen
	}
	return err
}
