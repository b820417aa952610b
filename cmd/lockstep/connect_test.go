package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"

	"lockstep/internal/certs"
)

// TestWrongDoor: who speaks plainly to a port with TLS, or the other way round, is told at once what the flag is.
func TestWrongDoor(t *testing.T) {
	noEnvironment(t)
	f := certs.Folder{Dir: t.TempDir(), Validity: time.Hour}
	if _, err := f.Init("test"); err != nil {
		t.Fatal(err)
	}
	dir, _, err := f.Issue(certs.Identity{Role: certs.Coordinator, Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, certs.CAFile)
	source, err := (&certs.Files{CA: ca, Cert: filepath.Join(dir, certs.CertFile), Key: filepath.Join(dir, certs.KeyFile)}).Source(certs.Named)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(certs.ServerCredentials(source)))
	t.Cleanup(s.Stop)
	go s.Serve(l)
	secure := l.Addr().String()
	plain, _ := newFake(t).serve()
	begin := time.Now()
	command(t, "job", "list", "--addr", secure).want(t, codeError, nil, []string{secure + " speaks TLS", "--tls-ca", "LOCKSTEP_TLS_CA"})
	command(t, "job", "list", "--addr", plain, "--tls-ca", ca).want(t, codeError, nil, []string{plain + " does not speak TLS", "leave out --tls-ca"})
	if d := time.Since(begin); d > callTimeout {
		t.Errorf("it took %v to say so", d)
	}
	command(t, "job", "list", "--addr", secure+","+plain, "-o", "name").want(t, 0, nil, nil) // one of them will do
}
