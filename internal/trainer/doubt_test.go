package trainer

import (
	"bytes"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"lockstep/internal/certs"
)

// TestDoubt: a worker without certificates that is pointed at coordinators with them, or the other way round, says so.
func TestDoubt(t *testing.T) {
	f := certs.Folder{Dir: t.TempDir(), Validity: time.Hour}
	if _, err := f.Init("test"); err != nil {
		t.Fatal(err)
	}
	dir, _, err := f.Issue(certs.Identity{Role: certs.Coordinator, Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	secure, err := (&certs.Files{CA: filepath.Join(dir, certs.CAFile), Cert: filepath.Join(dir, certs.CertFile), Key: filepath.Join(dir, certs.KeyFile)}).Source(certs.Named)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		worker, coordinator certs.Source
		says                string
	}{{nil, secure, "speaks TLS"}, {secure, nil, "does not speak TLS"}, {nil, nil, ""}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer(grpc.Creds(certs.ServerCredentials(c.coordinator)))
		t.Cleanup(s.Stop)
		go s.Serve(l)
		var text bytes.Buffer
		w := &Worker{cfg: Config{Coordinators: []string{l.Addr().String()}, TLS: c.worker}, log: slog.New(slog.NewTextHandler(&text, nil))}
		w.doubt(t.Context())
		if got := text.String(); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("logged %q, want %q", got, c.says)
		}
	}
}
