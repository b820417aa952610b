package coord

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/client"
)

// nursery is a cluster whose second and third coordinators may issue certificates.
type nursery struct {
	*quorum
	trust certs.Source
}

func newNursery(t *testing.T) *nursery {
	f := certs.Folder{Dir: t.TempDir(), Keep: true, Validity: 365 * 24 * time.Hour}
	if _, err := f.Init("test"); err != nil {
		t.Fatal(err)
	}
	ca, err := certs.LoadCA(filepath.Join(f.Dir, certs.CAFile), filepath.Join(f.Dir, certs.WorkerCA, certs.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	q := &nursery{quorum: newQuorumWith(t, sourceOf(t, f))}
	for _, n := range q.nodes[1:] {
		n.cfg.CA = ca
	}
	q.trust, err = (&certs.Files{CA: filepath.Join(f.Dir, certs.CAFile)}).Source(certs.Anonymous)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// token makes a token that every coordinator knows.
func (q *nursery) token(role certs.Role, expires time.Time) (text, id string) {
	q.t.Helper()
	text, made, err := access.NewToken("rack-7", role, expires)
	if err != nil {
		q.t.Fatal(err)
	}
	if _, err := q.clients[0].CreateToken(q.context(), &lockstepv1.CreateTokenRequest{Token: made}); err != nil {
		q.t.Fatal(err)
	}
	q.level()
	return text, made.Id
}

// level waits until every coordinator has applied what the leader has.
func (q *nursery) level() {
	q.t.Helper()
	for _, n := range q.nodes {
		if err := n.fsm.waitIndex(q.context(), q.nodes[q.leader()].raft.AppliedIndex()); err != nil {
			q.t.Fatal(err)
		}
	}
}

func (q *nursery) enroll(node int, token, name string) (*client.Enrolled, certs.Identity, error) {
	e, err := client.Enroll(q.context(), []string{q.nodes[node].cfg.Advertise}, q.trust, func() (string, error) { return token, nil }, name)
	if err != nil {
		return nil, certs.Identity{}, err
	}
	own, _, err := e.Current()
	if err != nil {
		q.t.Fatal(err)
	}
	if left := time.Until(own.Leaf.NotAfter); left > enrolledFor || left < enrolledFor-time.Hour {
		q.t.Errorf("the certificate is good for %v, want %v", left, enrolledFor)
	}
	who, err := certs.IdentityOf(own.Leaf)
	return e, who, err
}

// TestEnroll: a join token, and no other, gives a worker a certificate with which it may register; each worker has a name
// that no other can get.
func TestEnroll(t *testing.T) {
	q := newNursery(t)
	join, id := q.token(access.Join, time.Now().Add(time.Hour))
	names := map[string]bool{}
	for name, prefix := range map[string]string{"host-1": "host-1.", "": "worker.", "a/b": "worker.", strings.Repeat("x", 100): strings.Repeat("x", nameLetters) + "."} {
		e, who, err := q.enroll(1, join, name)
		if err != nil || who.Role != certs.Worker || !strings.HasPrefix(who.Name, prefix) || len(who.Name) != len(prefix)+keyLetters {
			t.Errorf("%q: %v, %v; want worker/%s and a digest", name, who, err, prefix)
			continue
		}
		names[who.Name] = true
		w := &lockstepv1.Worker{Id: who.Name, Address: "127.0.0.1:1"}
		if _, err := dialAs(t, q.nodes[0], e).Register(q.context(), &lockstepv1.RegisterRequest{Worker: w}); err != nil {
			t.Errorf("%s registers: %v", who, err)
		}
	}
	if _, who, err := q.enroll(2, join, "host-1"); err != nil || names[who.Name] {
		t.Errorf("another worker of the same host is %s, %v", who, err)
	}
	late, _ := q.token(access.Join, time.Now().Add(-time.Hour))
	reader, _ := q.token(certs.Reader, time.Time{})
	admin, _ := q.token(certs.Admin, time.Time{})
	want := func(what string, code codes.Code, node int, token string) {
		t.Helper()
		if _, _, err := q.enroll(node, token, "x"); status.Code(err) != code {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	}
	want("an expired token", codes.Unauthenticated, 1, late)
	want("a reader's", codes.PermissionDenied, 1, reader)
	want("an administrator's", codes.PermissionDenied, 1, admin)
	want("no token", codes.Unauthenticated, 1, "lockstep_x")
	want("a coordinator without the authority's key", codes.FailedPrecondition, 0, join)
	if _, err := q.clients[0].RevokeToken(q.context(), &lockstepv1.RevokeTokenRequest{Token: id}); err != nil {
		t.Fatal(err)
	}
	q.level()
	want("a revoked token", codes.Unauthenticated, 2, join)
}

// TestEnrollBadRequests: what is signed is a key on P-256 whose owner has signed the request.
func TestEnrollBadRequests(t *testing.T) {
	q := newNursery(t)
	join, _ := q.token(access.Join, time.Time{})
	c, err := client.Dial([]string{q.nodes[1].cfg.Advertise}, grpc.WithTransportCredentials(certs.ClientCredentials(q.trust, certs.Coordinator)),
		grpc.WithPerRPCCredentials(access.Bearer(join)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	request := func(curve elliptic.Curve) []byte {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	forged := request(elliptic.P256())
	forged[len(forged)-1] ^= 1 // of the signature
	for name, der := range map[string][]byte{"nothing": nil, "nonsense": []byte("x"), "another curve": request(elliptic.P384()), "another's key": forged} {
		if _, err := c.Enroll(q.context(), &lockstepv1.EnrollRequest{Request: der, Name: "w"}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}
