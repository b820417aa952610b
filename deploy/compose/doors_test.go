// Package compose_test tries the doors of the cluster of compose.yaml while it runs. The script .ci/compose runs it on the
// host and in a container of the cluster's network; without -certs it has nothing to do.
package compose_test

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
)

// The folder with those of DIR/admin, DIR/worker, and DIR/stranger, an administrator of another cluster.
var dir = flag.String("certs", "", "`DIR` with the certificates to come with")

// Addresses, separated by commas.
var (
	coordinators = flag.String("coordinators", "", "where coordinators serve gRPC")
	workers      = flag.String("workers", "", "where workers do")
	pages        = flag.String("https", "", "where HTTPS is served")
	rafts        = flag.String("raft", "", "where raft is")
	servers      = flag.String("nats", "", "where NATS is")
)

// limit bounds whatever waits for an answer.
const limit = 20 * time.Second

// all are the ways to come to a door; plain is without TLS.
var all = []string{"plain", "nobody", "stranger", "worker", "admin"}

// as is how somebody comes to a door; nil for plain. It looks at no host's name: that is not the test.
func as(t *testing.T, who string) *tls.Config {
	t.Helper()
	file := func(who, name string) string { return filepath.Join(*dir, who, name) }
	f := &certs.Files{CA: file("admin", certs.CAFile)}
	switch who {
	case "plain":
		return nil
	case "stranger": // it trusts its own authority, so that its files are good, and looks at nothing
		f.CA = file(who, certs.CAFile)
		fallthrough
	case "worker", "admin":
		f.Cert, f.Key = file(who, certs.CertFile), file(who, certs.KeyFile)
	}
	if _, err := f.Source(certs.Anonymous); err != nil {
		t.Fatal(err)
	}
	c := certs.Client(f, certs.Roles...)
	if who == "stranger" {
		c.VerifyConnection = nil
	}
	return c
}

// each tries every address of a list in every way.
func each(t *testing.T, list string, try func(t *testing.T, address, who string)) {
	if *dir == "" || list == "" {
		t.Skip("no cluster is given: see .ci/compose")
	}
	for _, address := range strings.Split(list, ",") {
		for _, who := range all {
			t.Run(address+"/"+who, func(t *testing.T) { try(t, address, who) })
		}
	}
}

// tryCall makes a call with an empty request and wants its outcome.
func tryCall(method string, want map[string]codes.Code) func(t *testing.T, address, who string) {
	return func(t *testing.T, address, who string) {
		creds := insecure.NewCredentials()
		if c := as(t, who); c != nil {
			creds = credentials.NewTLS(c)
		}
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if got := status.Code(conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{})); got != want[who] {
			t.Errorf("%s: %v, want %v", method, got, want[who])
		}
	}
}

func TestCoordinators(t *testing.T) {
	each(t, *coordinators, tryCall(lockstepv1.Jobs_ListJobs_FullMethodName, map[string]codes.Code{"plain": codes.Unavailable,
		"nobody": codes.Unauthenticated, "stranger": codes.Unavailable, "worker": codes.PermissionDenied, "admin": codes.OK}))
}

func TestWorkers(t *testing.T) {
	each(t, *workers, tryCall(lockstepv1.Peer_Ping_FullMethodName, map[string]codes.Code{"plain": codes.Unavailable,
		"nobody": codes.Unauthenticated, "stranger": codes.Unavailable, "worker": codes.PermissionDenied, "admin": codes.PermissionDenied}))
}

func TestHTTPS(t *testing.T) {
	want := map[string]int{"plain": http.StatusBadRequest, "nobody": http.StatusUnauthorized, "worker": http.StatusForbidden, "admin": http.StatusOK}
	each(t, *pages, func(t *testing.T, address, who string) {
		c := as(t, who)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c}, Timeout: limit}
		defer client.CloseIdleConnections()
		url := "https://" + address + "/metrics"
		if c == nil {
			url = "http://" + address + "/metrics"
		}
		got := 0
		r, err := client.Get(url)
		if err == nil {
			got = r.StatusCode
			r.Body.Close()
		}
		if got != want[who] {
			t.Errorf("%s: %d, %v; want %d", url, got, err, want[who])
		}
	})
}

// TestRaft: whoever is no coordinator is refused before he has said anything.
func TestRaft(t *testing.T) {
	each(t, *rafts, func(t *testing.T, address, who string) {
		c := as(t, who)
		if c == nil {
			t.Skip("what is no TLS is no handshake")
		}
		conn, err := tls.Dial("tcp", address, c)
		if err == nil {
			defer conn.Close()
			err = errors.Join(conn.SetDeadline(time.Now().Add(limit)))
			if err == nil {
				_, err = io.ReadFull(conn, make([]byte, 1))
			}
		}
		if err == nil || !strings.Contains(err.Error(), "tls: ") {
			t.Errorf("want a refusal, got %v", err)
		}
	})
}

// TestNATS: of all these the administrator alone comes in, who sees the coordinators' events and cannot write.
func TestNATS(t *testing.T) {
	each(t, *servers, func(t *testing.T, address, who string) {
		opts := []nats.Option{nats.MaxReconnects(0), nats.Timeout(limit), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
		if c := as(t, who); c != nil {
			opts = append(opts, nats.Secure(c))
		}
		n, err := nats.Connect("nats://"+address, opts...)
		if err == nil {
			defer n.Close()
		}
		if who != "admin" {
			if err == nil {
				t.Error("it came in")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		readOnly(t, n)
	})
}

func readOnly(t *testing.T, n *nats.Conn) {
	js, err := jetstream.New(n)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "LOCKSTEP")
	if err != nil {
		t.Fatal(err)
	}
	if stream.CachedInfo().State.Msgs == 0 {
		t.Error("there are no events")
	}
	if err := errors.Join(n.Publish("lockstep.v1.job.x.state", []byte("{}")), n.FlushTimeout(limit)); err != nil {
		t.Fatal(err)
	}
	if err := n.LastError(); err == nil || !strings.Contains(strings.ToLower(err.Error()), "permissions") {
		t.Errorf("it wrote: %v", err)
	}
}
