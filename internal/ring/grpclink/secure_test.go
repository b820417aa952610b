package grpclink_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"lockstep/internal/certs"
	"lockstep/internal/ring"
	"lockstep/internal/ring/grpclink"
)

// authority makes certificates, in a folder that tests share.
var authority = sync.OnceValues(func() (certs.Folder, error) {
	f := certs.Folder{Dir: tempDir, Validity: time.Hour}
	_, err := f.Init("test")
	return f, err
})

var errNoWorker = errors.New("not a worker")

// security is that of a worker with a certificate.
func security(t testing.TB) grpclink.Security {
	t.Helper()
	source := identity(t, certs.Worker)
	return grpclink.Security{Dial: certs.ClientCredentials(source, certs.Worker), Serve: certs.ServerCredentials(source),
		Admits: func(info credentials.AuthInfo) error {
			chain := info.(credentials.TLSInfo).State.PeerCertificates
			if len(chain) == 0 {
				return errNoWorker
			}
			who, err := certs.IdentityOf(chain[0])
			if err == nil && who.Role != certs.Worker {
				err = errNoWorker
			}
			return err
		}}
}

var issuing sync.Mutex

func identity(t testing.TB, role certs.Role) certs.Source {
	t.Helper()
	issuing.Lock()
	defer issuing.Unlock()
	f, err := authority()
	if err != nil {
		t.Fatal(err)
	}
	f.Keep, f.Force = false, true
	dir, _, err := f.Issue(certs.Identity{Role: role, Name: string(role)})
	if err != nil {
		t.Fatal(err)
	}
	files := &certs.Files{CA: filepath.Join(dir, certs.CAFile), Cert: filepath.Join(dir, certs.CertFile), Key: filepath.Join(dir, certs.KeyFile)}
	source, err := files.Source(certs.Named)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// TestOnlyWorkersOpenPipes: a ticket alone does not open a pipe over TCP.
func TestOnlyWorkersOpenPipes(t *testing.T) {
	s := grpclink.NewServer(nil)
	s.Secure(security(t))
	pipes := s.Credentials(nil)
	nobody := &certs.Files{CA: filepath.Join(tempDir, certs.CAFile)}
	for name, creds := range map[string]credentials.TransportCredentials{
		"an administrator": certs.ClientCredentials(identity(t, certs.Admin), certs.Worker),
		"nobody":           certs.ClientCredentials(nobody, certs.Worker),
	} {
		here, there := net.Pipe()
		go func() {
			conn, _, err := creds.ClientHandshake(context.Background(), "worker", here)
			if err == nil {
				conn.Write([]byte("LOCKRING"))
				io.Copy(io.Discard, conn)
			}
			here.Close()
		}()
		if _, _, err := pipes.ServerHandshake(there); !errors.Is(err, errNoWorker) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlainMembersAreRefused: between a ring with certificates and a member without none of both goes on.
func TestPlainMembersAreRefused(t *testing.T) {
	for _, w := range []way{{name: "tls", tls: true}, {name: "tls over tcp", tls: true, tcp: true}} {
		t.Run(w.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			secured, address := serve(t, w)
			plain, other := serve(t, way{tcp: w.tcp})
			peers := []string{address, other}
			for rank, s := range []*grpclink.Server{secured, plain} {
				l, err := s.Open(ctx, grpclink.Config{Job: "j", Generation: 1, Rank: rank, Peers: peers})
				if err != nil {
					continue // it has noticed already
				}
				defer l.Close()
				if f, err := l.Recv(ctx, 1-rank); err == nil {
					t.Errorf("rank %d received %v", rank, f)
				} else if lost := new(ring.LostError); !errors.As(err, &lost) {
					t.Errorf("rank %d: %v", rank, err)
				}
			}
		})
	}
}
