package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	r.Read(b)
	return b
}

// quick is patience for tests.
var quick = patience{tries: 4, delay: time.Millisecond, block: 30 * time.Second}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// site is a web server with files, and faults.
type site struct {
	*httptest.Server
	files    map[string][]byte
	fault    func(w http.ResponseWriter, r *http.Request, n int64) bool // answers itself, or not
	requests atomic.Int64
}

func newSite(t *testing.T, files map[string][]byte) *site {
	s := &site{files: files}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.requests.Add(1)
	if s.fault != nil && s.fault(w, r, n) {
		return
	}
	data, ok := s.files[strings.TrimPrefix(r.URL.Path, "/data/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func (s *site) tree(t *testing.T, o *Options) *web {
	t.Helper()
	u, err := url.Parse(s.URL + "/data")
	if err != nil {
		t.Fatal(err)
	}
	w := newWeb(u, o)
	w.patience = quick
	return w
}

func wantContent(t *testing.T, f File, want []byte) {
	t.Helper()
	defer f.Close()
	if f.Size() != int64(len(want)) {
		t.Errorf("%s: %d bytes, want %d", f.Name(), f.Size(), len(want))
	}
	if len(want) < 1000 {
		if err := iotest.TestReader(io.NewSectionReader(f, 0, f.Size()), want); err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes read, %v", f.Name(), len(got), err)
	}
	for _, off := range []int64{0, 1, blockSize - 3, blockSize, f.Size() - 5} {
		if off < 0 || off+5 > f.Size() {
			continue
		}
		p := make([]byte, 5)
		if _, err := f.ReadAt(p, off); err != nil || !bytes.Equal(p, want[off:off+5]) {
			t.Errorf("%s: at %d: %x, %v", f.Name(), off, p, err)
		}
	}
}

func TestWeb(t *testing.T) {
	big := content(2*blockSize + 1000)
	s := newSite(t, map[string][]byte{"a b.bin": big, "dir/small": []byte("hello"), "empty": {}})
	cache, err := OpenCache(t.TempDir(), 100<<20, quiet())
	if err != nil {
		t.Fatal(err)
	}
	tr := s.tree(t, &Options{Cache: cache})
	for name, want := range s.files {
		f, err := tr.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		wantContent(t, f, want)
	}
	before := s.requests.Load()
	f, err := s.tree(t, &Options{Cache: cache}).Open(t.Context(), "a b.bin")
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, f, big)
	if n := s.requests.Load() - before; n != 1 {
		t.Errorf("%d requests for a file that is in the cache, want 1 that looks whether it is the same", n)
	}
	if _, err := tr.List(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "does not list") {
		t.Error(err)
	}
	if _, err := tr.Open(t.Context(), "../x"); err == nil || !strings.Contains(err.Error(), "is not inside") {
		t.Error(err)
	}
}

// A server that knows no ranges is copied; one that breaks off is asked again.
func TestWebWithoutRanges(t *testing.T) {
	big := content(2*blockSize + 1000)
	s := newSite(t, map[string][]byte{"f": big})
	s.fault = func(w http.ResponseWriter, r *http.Request, n int64) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(big)))
		if n == 2 {
			w.Write(big[:1000])
			return true
		}
		w.Write(big)
		return true
	}
	f, err := s.tree(t, &Options{Scratch: t.TempDir()}).Open(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, f, big)
}

func TestWebFaults(t *testing.T) {
	big := content(2*blockSize + 1000)
	for _, c := range []struct {
		what  string
		fault func(w http.ResponseWriter, r *http.Request, n int64) bool
		want  string // in the error; "": there is none
		tries int64  // at most; 0: any number
	}{
		{"a server that fails twice", func(w http.ResponseWriter, _ *http.Request, n int64) bool {
			if n <= 2 {
				http.Error(w, "busy", http.StatusServiceUnavailable)
			}
			return n <= 2
		}, "", 0},
		{"connections that are reset", func(w http.ResponseWriter, _ *http.Request, n int64) bool {
			if n == 1 || n == 3 {
				panic(http.ErrAbortHandler)
			}
			return false
		}, "", 0},
		{"a block that breaks off", func(w http.ResponseWriter, r *http.Request, n int64) bool {
			if n != 2 {
				return false
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", blockSize, 2*blockSize-1, len(big)))
			w.Header().Set("Content-Length", fmt.Sprint(blockSize))
			w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(big)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(big[blockSize : blockSize+100])
			panic(http.ErrAbortHandler)
		}, "", 0},
		{"a server that never recovers", func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
			http.Error(w, "busy", http.StatusBadGateway)
			return true
		}, "the server says 502 Bad Gateway (tried 4 times)", 4},
		{"a missing file", func(w http.ResponseWriter, r *http.Request, _ int64) bool {
			http.NotFound(w, r)
			return true
		}, "404 Not Found", 1},
		{"a forbidden file", func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
			http.Error(w, "no", http.StatusForbidden)
			return true
		}, "403 Forbidden", 1},
		{"a file that changes", func(w http.ResponseWriter, _ *http.Request, n int64) bool {
			if n == 1 {
				return false
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", blockSize, 2*blockSize-1, len(big)))
			w.Header().Set("ETag", `"other"`)
			w.WriteHeader(http.StatusPartialContent)
			return true
		}, "was changed", 2},
	} {
		s := newSite(t, map[string][]byte{"f": big})
		s.fault = c.fault
		f, err := s.tree(t, &Options{}).Open(t.Context(), "f")
		var got []byte
		if err == nil {
			got, err = io.ReadAll(f)
		}
		switch {
		case c.want == "":
			if err != nil || !bytes.Equal(got, big) {
				t.Errorf("%s: %d bytes, %v", c.what, len(got), err)
			}
		case err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), s.URL+"/data/f"):
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
		if n := s.requests.Load(); c.tries > 0 && n > c.tries {
			t.Errorf("%s: %d requests, want %d", c.what, n, c.tries)
		}
		if errors.Is(err, os.ErrNotExist) != (c.what == "a missing file") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestWebThatIsTooSlow(t *testing.T) {
	s := newSite(t, nil)
	s.fault = func(_ http.ResponseWriter, r *http.Request, _ int64) bool {
		<-r.Context().Done()
		return true
	}
	tr := s.tree(t, &Options{})
	tr.patience = patience{tries: 2, delay: time.Millisecond, block: 20 * time.Millisecond}
	if _, err := tr.Open(t.Context(), "f"); err == nil || !strings.Contains(err.Error(), "too slow: nothing came in 20ms (tried 2 times)") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := tr.Open(ctx, "f"); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestChecked(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "hello", "b": "hello"})
	good := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("hello")))
	tr := Checked(Checked(tree(t, dir), map[string]string{"a": good, "b": "sha256:" + strings.Repeat("0", 64)}), nil)
	f, err := tr.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, f, []byte("hello"))
	if _, err := tr.Open(t.Context(), "b"); !errors.Is(err, ErrChecksum) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), good) {
		t.Error(err)
	}
}
