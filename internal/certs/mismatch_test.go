package certs

import (
	"crypto/tls"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// sourceOf makes an authority, and the source of one of its identities.
func sourceOf(t *testing.T, identity string) Source {
	t.Helper()
	f := Folder{Dir: t.TempDir(), Validity: time.Hour}
	who, err := ParseIdentity(identity)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Init("test"); err != nil {
		t.Fatal(err)
	}
	dir, _, err := f.Issue(who)
	if err != nil {
		t.Fatal(err)
	}
	s, err := (&Files{CA: filepath.Join(dir, CAFile), Cert: filepath.Join(dir, CertFile), Key: filepath.Join(dir, KeyFile)}).Source(Named)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMismatch: who speaks TLS to who does not, and the other way round, is told so, and what to do.
func TestMismatch(t *testing.T) {
	own, other := sourceOf(t, "coordinator/a"), sourceOf(t, "coordinator/a")
	server := func(creds credentials.TransportCredentials) func(net.Listener) {
		return func(l net.Listener) {
			s := grpc.NewServer(grpc.Creds(creds))
			t.Cleanup(s.Stop)
			go s.Serve(l)
		}
	}
	page := func(l net.Listener) {
		s := &http.Server{Handler: http.NotFoundHandler()}
		t.Cleanup(func() { s.Close() })
		go s.Serve(l)
	}
	silent := func(net.Listener) {}
	for name, c := range map[string]struct {
		serve  func(net.Listener)
		source Source
		says   string // empty: nothing
	}{
		"plain at plain":      {server(ServerCredentials(nil)), nil, ""},
		"plain at TLS":        {server(ServerCredentials(own)), nil, "speaks TLS: say with --tls-ca"},
		"TLS at TLS":          {server(ServerCredentials(own)), own, ""},
		"TLS at plain":        {server(ServerCredentials(nil)), own, "does not speak TLS: leave out --tls-ca"},
		"another authority's": {server(ServerCredentials(own)), other, "is not of the authority in --tls-ca"},
		"plain at a page":     {page, nil, "answers in HTTP/1"},
		"TLS at a page":       {page, own, "does not speak TLS"},
		"plain at HTTPS":      {func(l net.Listener) { page(tls.NewListener(l, Server(own))) }, nil, "speaks TLS"},
		"plain at silence":    {silent, nil, ""},
		"TLS at silence":      {silent, own, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			c.serve(l)
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			err = Mismatch(t.Context(), conn, c.source)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}
