package source

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// store speaks as much of S3 as is read: HEAD, GET with ranges, and lists, two objects at a time.
type store struct {
	*httptest.Server
	t        *testing.T
	objects  map[string][]byte // "bucket/key"
	fault    func(w http.ResponseWriter, r *http.Request, n int64) bool
	requests atomic.Int64
}

func newStore(t *testing.T, objects map[string][]byte) *store {
	s := &store{t: t, objects: objects}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func s3Fault(w http.ResponseWriter, code int, name, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(code)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, name, message)
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.requests.Add(1)
	if s.fault != nil && s.fault(w, r, n) {
		return
	}
	auth := r.Header.Get("Authorization")
	if !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=KEY/") || !strings.Contains(auth, "/us-east-1/s3/aws4_request") ||
		!strings.Contains(auth, "Signature=") || r.Header.Get("X-Amz-Security-Token") != "TOKEN" {
		s3Fault(w, http.StatusForbidden, "AccessDenied", "Access Denied.")
		return
	}
	if r.URL.Query().Get("list-type") == "2" {
		s.list(w, strings.Trim(r.URL.Path, "/"), r.URL.Query())
		return
	}
	data, ok := s.objects[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		s3Fault(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
	http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(data))
}

func (s *store) list(w http.ResponseWriter, bucket string, q url.Values) {
	type object struct {
		Key          string
		Size         int
		LastModified time.Time
	}
	var out struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Name                  string
		IsTruncated           bool
		NextContinuationToken string
		Contents              []object
	}
	out.Name = bucket
	for _, k := range slices.Sorted(maps.Keys(s.objects)) {
		key, in := strings.CutPrefix(k, bucket+"/")
		if !in || !strings.HasPrefix(key, q.Get("prefix")) || key <= q.Get("continuation-token") {
			continue
		}
		if len(out.Contents) == 2 {
			out.IsTruncated, out.NextContinuationToken = true, out.Contents[1].Key
			break
		}
		out.Contents = append(out.Contents, object{Key: key, Size: len(s.objects[k]), LastModified: time.Unix(1e9, 0)})
	}
	w.Header().Set("Content-Type", "application/xml")
	if err := xml.NewEncoder(w).Encode(out); err != nil {
		s.t.Error(err)
	}
}

func (s *store) tree(t *testing.T, source, key string) Tree {
	t.Helper()
	tr, err := (&Options{S3: S3{Endpoint: s.URL, Key: key, Secret: "SECRET", Token: "TOKEN"}}).Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	tr.(*bucket).patience = quick
	return tr
}

func TestS3(t *testing.T) {
	big := content(2*blockSize + 1000)
	s := newStore(t, map[string][]byte{"bkt/set/one two.bin": big, "bkt/set/d/x": []byte("hello"), "bkt/set/d/y": {}, "bkt/set/d/": {}, "bkt/other": {1}, "bkt/set2/z": {2}})
	tr := s.tree(t, "s3://bkt/set/", "KEY")
	for name, want := range map[string][]byte{"one two.bin": big, "d/x": []byte("hello"), "d/y": {}} {
		f, err := tr.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		wantContent(t, f, want)
	}
	for dir, want := range map[string][]string{"": {"d/x", "d/y", "one two.bin"}, "d": {"d/x", "d/y"}} {
		if got, err := tr.List(t.Context(), dir); err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, %v", dir, got, err)
		}
	}
	all, err := s.tree(t, "s3://bkt", "KEY").List(t.Context(), "")
	if err != nil || len(all) != 5 {
		t.Errorf("%q, %v", all, err)
	}
	f, err := s.tree(t, "s3://bkt/set/d/x", "KEY").Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, f, []byte("hello"))
	for name, want := range map[string]string{"none": "s3://bkt/set/none: the object store says NoSuchKey", "../other": "is not inside"} {
		if _, err := tr.Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = tr.Open(t.Context(), "none")
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := s.tree(t, "s3://bkt/set", "OTHER").Open(t.Context(), "d/x"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Error(err)
	}
	if _, err := (&Options{S3: S3{Endpoint: "ftp://x"}}).Open(t.Context(), "s3://bkt"); err == nil || !strings.Contains(err.Error(), "want a URL") {
		t.Error(err)
	}
}

func TestS3Faults(t *testing.T) {
	big := content(blockSize + 1000)
	for _, c := range []struct {
		what  string
		fault func(w http.ResponseWriter, r *http.Request, n int64) bool
		want  string
	}{
		{"a store that is busy for a while", func(w http.ResponseWriter, _ *http.Request, n int64) bool {
			if n%2 == 1 {
				s3Fault(w, http.StatusServiceUnavailable, "SlowDown", "Reduce your request rate.")
			}
			return n%2 == 1
		}, ""},
		{"a store that stays down", func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
			s3Fault(w, http.StatusInternalServerError, "InternalError", "We failed.")
			return true
		}, "tried 4 times"},
		{"an object that changes", func(w http.ResponseWriter, r *http.Request, n int64) bool {
			if n > 1 {
				s3Fault(w, http.StatusPreconditionFailed, "PreconditionFailed", "No.")
			}
			return n > 1
		}, "was changed"},
		{"a body that breaks off", func(w http.ResponseWriter, r *http.Request, n int64) bool {
			if n != 2 {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(blockSize))
			w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(big)))
			w.Header().Set("Last-Modified", time.Unix(1e9, 0).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(big[:100])
			panic(http.ErrAbortHandler)
		}, ""},
	} {
		s := newStore(t, map[string][]byte{"bkt/f": big})
		s.fault = c.fault
		f, err := s.tree(t, "s3://bkt", "KEY").Open(t.Context(), "f")
		var got []byte
		if err == nil {
			got, err = io.ReadAll(f)
		}
		if c.want == "" && (err != nil || !bytes.Equal(got, big)) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "s3://bkt/f")) {
			t.Errorf("%s: %d bytes, %v, want %q", c.what, len(got), err, c.want)
		}
	}
}

func TestS3FromEnv(t *testing.T) {
	env := map[string]string{"AWS_ENDPOINT_URL": "http://x", "AWS_DEFAULT_REGION": "r", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
	if got := S3FromEnv(func(name string) string { return env[name] }); got != (S3{Endpoint: "http://x", Region: "r", Key: "k", Secret: "s"}) {
		t.Errorf("%+v", got)
	}
}
