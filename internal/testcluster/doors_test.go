package testcluster

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/testaddr"
)

// house is a secure cluster all of whose doors are tried.
type house struct {
	*Cluster
	worker     *Process
	nats, http string // of coordinator-1, and of the worker
	strangers  map[string]*tls.Config
}

func openHouse(t *testing.T) *house {
	h := &house{nats: testaddr.New(t), http: testaddr.New(t)}
	h.Cluster = Start(t, Options{Coordinators: 1, Workers: 1, Secure: true, Undisturbed: true,
		SeatArgs: []string{"--nats-listen", h.nats, "--pprof"}, WorkerArgs: []string{"--http", h.http}})
	h.worker = h.Workers()[0]
	h.WaitWorkers(1)
	h.strangers = map[string]*tls.Config{"of another authority": h.stranger(), "expired": h.expired()}
	return h
}

// roots is the cluster's authority.
func (h *house) roots() *x509.CertPool {
	_, roots, err := h.files("admin/admin").Current()
	if err != nil {
		h.t.Fatal(err)
	}
	return roots
}

// with is how somebody comes to a door; without a certificate if own is nil. It looks at no name: that is not the test.
func (h *house) with(own *tls.Certificate) *tls.Config {
	c := &tls.Config{RootCAs: h.roots(), ServerName: "127.0.0.1"}
	if own != nil { // shown whatever authorities the server asks for
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	}
	return c
}

func (h *house) as(identity string) *tls.Config {
	own, _, err := h.files(identity).Current()
	if err != nil {
		h.t.Fatal(err)
	}
	return h.with(own)
}

// made is a certificate of an authority for an administrator.
func (h *house) made(ca *certs.CA, validity time.Duration) *tls.Config {
	key, err := certs.NewKey()
	if err != nil {
		h.t.Fatal(err)
	}
	cert, err := ca.Issue(certs.Identity{Role: certs.Admin, Name: "x"}, nil, crypto.Signer(key).Public(), validity)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.with(&tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert})
}

func (h *house) stranger() *tls.Config {
	ca, err := certs.NewCA("another")
	if err != nil {
		h.t.Fatal(err)
	}
	return h.made(ca, time.Hour)
}

func (h *house) expired() *tls.Config {
	ca, err := certs.LoadCA(filepath.Join(h.certs.Dir, certs.CAFile), filepath.Join(h.certs.Dir, certs.CAKeyFile))
	if err != nil {
		h.t.Fatal(err)
	}
	return h.made(ca, time.Nanosecond)
}

// call makes a call with an empty request and returns its outcome.
func (h *house) call(conn *grpc.ClientConn, method string) codes.Code {
	stream, err := conn.NewStream(h.context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err == nil {
		_ = stream.SendMsg(&emptypb.Empty{}) // RecvMsg has its error
		_ = stream.CloseSend()
		err = stream.RecvMsg(&emptypb.Empty{})
	}
	if err == nil || err == io.EOF {
		return codes.OK
	}
	return status.Code(err)
}

func (h *house) connect(address string, c *tls.Config, opts ...grpc.DialOption) *grpc.ClientConn {
	creds := insecure.NewCredentials()
	if c != nil {
		creds = credentials.NewTLS(c)
	}
	conn, err := grpc.NewClient(address, append(opts, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	return conn
}

// methods are those that a program serves.
func methods(worker bool) (out []string) {
	for m := range access.Methods() {
		peer := strings.HasPrefix(m, "/lockstep.v1.Peer/") || strings.HasPrefix(m, "/lockstep.v1.Ring/")
		if health := strings.HasPrefix(m, "/grpc.health."); health || peer == worker && (!worker || !strings.HasPrefix(m, "/grpc.")) {
			out = append(out, m)
		}
	}
	return out
}

// TestEveryDoorIsLocked tries each port of a secure cluster, and each method behind it, as nobody, as a stranger, with
// what is over, and in every role that the table does not let in.
func TestEveryDoorIsLocked(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	tokens := h.tokens()
	for address, worker := range map[string]bool{h.seats[0].Address: false, h.seats[0].HTTP: false, h.worker.Address: true} {
		h.tryGRPC(address, methods(worker))
		for name, x := range tokens {
			conn := h.connect(address, h.with(nil), grpc.WithPerRPCCredentials(access.Bearer(x.text)))
			for _, m := range methods(worker) {
				want := codes.Unauthenticated
				if x.role != "" && !worker {
					want = codes.PermissionDenied
				}
				who := &certs.Identity{Role: x.role}
				if !access.Allows(m, nil) && (worker || x.role == "" || !access.Allows(m, who)) {
					h.want(h.call(conn, m), want, name, address, m)
				}
			}
		}
	}
	both := h.connect(h.seats[0].HTTP, h.as("admin/as-admin"))
	h.want(h.call(both, lockstepv1.Jobs_ListJobs_FullMethodName), codes.OK, "admin", h.seats[0].HTTP, "a call beside the page")
	h.tryRaft()
	h.tryHTTP(h.seats[0].HTTP, tokens)
	h.tryHTTP(h.http, nil)
	h.tryNATS()
	h.tryReports()
}

// tryReports: a worker reports for no job but its own.
func (h *house) tryReports() {
	j := h.WaitStep(h.Submit(digits(h.t, "spec.training.epochs", "1000000")), 1)
	id, g, progress := j.Id, j.Generation.Number, &lockstepv1.Progress{Step: 1000}
	c := lockstepv1.NewWorkersClient(h.connect(h.seats[0].Address, h.as("worker/as-worker")))
	_, finish := c.Finish(h.context(), &lockstepv1.FinishRequest{Job: id, Generation: g, ModelDigest: "sha256:00", Progress: progress})
	_, report := c.ReportProgress(h.context(), &lockstepv1.ReportProgressRequest{Job: id, Generation: g, Progress: progress})
	_, checkpoint := c.ReportCheckpoint(h.context(), &lockstepv1.ReportCheckpointRequest{Job: id, Generation: g, Checkpoint: &lockstepv1.Checkpoint{}})
	_, alert := c.Alert(h.context(), &lockstepv1.AlertRequest{Job: id, Reason: "nonsense"})
	_, fail := c.Fail(h.context(), &lockstepv1.FailRequest{Job: id, Generation: g, Reason: "nonsense"})
	_, fault := c.ReportFault(h.context(), &lockstepv1.ReportFaultRequest{Job: id, Generation: g})
	for name, err := range map[string]error{"Finish": finish, "ReportProgress": report, "ReportCheckpoint": checkpoint, "Alert": alert, "Fail": fail, "ReportFault": fault} {
		h.want(status.Code(err), codes.PermissionDenied, "a worker that is no member", h.seats[0].Address, name)
	}
}

func (h *house) want(got, want codes.Code, who, address, what string) {
	h.t.Helper()
	if got != want {
		h.t.Errorf("%s at %s, %s: %v, want %v", what, address, who, got, want)
	}
}

func (h *house) tryGRPC(address string, methods []string) {
	h.t.Helper()
	nobody := h.connect(address, h.with(nil))
	for _, m := range methods {
		if access.Allows(m, nil) {
			h.want(h.call(nobody, m), codes.OK, "nobody", address, m)
		} else {
			h.want(h.call(nobody, m), codes.Unauthenticated, "nobody", address, m)
		}
	}
	for name, c := range h.strangers {
		h.want(h.call(h.connect(address, c), methods[0]), codes.Unavailable, name, address, methods[0])
	}
	h.want(h.call(h.connect(address, nil), "/grpc.health.v1.Health/Check"), codes.Unavailable, "without TLS", address, "health")
	for _, role := range certs.Roles {
		conn := h.connect(address, h.as(string(role)+"/as-"+string(role)))
		for _, m := range methods {
			if !access.Allows(m, &certs.Identity{Role: role}) {
				h.want(h.call(conn, m), codes.PermissionDenied, string(role), address, m)
			}
		}
	}
}

// ticket is a token; one that is no good has no role.
type ticket struct {
	text string
	role certs.Role
}

func (h *house) tokens() map[string]ticket {
	out := map[string]ticket{"a token that nobody made": {text: "lockstep_0123456789abcdef_" + strings.Repeat("0", 64)}, "no token": {text: "x"}}
	for _, role := range access.TokenRoles {
		out["token of "+string(role)] = ticket{h.token(role, time.Time{}), role}
	}
	over := h.token(certs.Admin, time.Now().Add(-time.Hour))
	out["token that is over"] = ticket{text: over}
	revoked := h.token(certs.Admin, time.Time{})
	if _, err := h.Client.RevokeToken(h.context(), &lockstepv1.RevokeTokenRequest{Token: strings.Split(revoked, "_")[1]}); err != nil {
		h.t.Fatal(err)
	}
	out["revoked token"] = ticket{text: revoked}
	return out
}

// shake connects, says something that means nothing to anybody, and returns how the connection ends.
func (h *house) shake(address string, c *tls.Config) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(Limit)); err != nil {
		h.t.Fatal(err)
	}
	if c != nil {
		conn = tls.Client(conn, c)
	}
	if _, err := conn.Write([]byte{0xff}); err != nil {
		return err
	}
	for b := make([]byte, 100); ; {
		if _, err := conn.Read(b); err != nil {
			return err
		}
	}
}

// tryRaft: coordinators alone get as far as to be misunderstood.
func (h *house) tryRaft() {
	raft := h.seats[0].raft
	if err := h.shake(raft, h.as("coordinator/coordinator-9")); err != io.EOF {
		h.t.Errorf("raft, a coordinator: %v", err)
	}
	refused := map[string]*tls.Config{"nobody": h.with(nil), "of another authority": h.strangers["of another authority"], "expired": h.strangers["expired"]}
	for _, role := range certs.Roles {
		if role != certs.Coordinator {
			refused[string(role)] = h.as(string(role) + "/as-" + string(role))
		}
	}
	for name, c := range refused {
		if err := h.shake(raft, c); err == nil || !strings.Contains(err.Error(), "tls: ") {
			h.t.Errorf("raft, %s: %v", name, err)
		}
	}
	if err := h.shake(raft, nil); err == nil {
		h.t.Error("raft without TLS was answered")
	}
}

// ask makes a request over HTTP and returns the answer's status, 0 if there was none.
func (h *house) ask(c *tls.Config, method, url, token string) int {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c}, Timeout: Limit}
	defer client.CloseIdleConnections()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

func (h *house) tryHTTP(address string, tokens map[string]ticket) {
	check := func(want int, who string, c *tls.Config, request, token string) {
		h.t.Helper()
		method, path, _ := strings.Cut(request, " ")
		if got := h.ask(c, method, "https://"+address+path, token); got != want {
			h.t.Errorf("%s at %s, %s: %d, want %d", request, address, who, got, want)
		}
	}
	closed := []string{"GET /metrics", "GET /api/v1/jobs", "GET /api/v1/changes", "POST /api/v1/jobs", "POST /api/v1/jobs/x/cancel", "GET /debug/pprof/", "PUT /healthz", "GET /api/v2"}
	check(http.StatusOK, "nobody", h.with(nil), "GET /healthz", "")
	for _, request := range closed {
		check(http.StatusUnauthorized, "nobody", h.with(nil), request, "")
	}
	for _, request := range closed[3:] {
		check(http.StatusForbidden, "a reader", h.as("reader/as-reader"), request, "")
	}
	for _, request := range closed[5:] {
		check(http.StatusForbidden, "a user", h.as("user/as-user"), request, "")
	}
	for _, request := range closed {
		check(http.StatusForbidden, "a worker", h.as("worker/as-worker"), request, "")
		check(http.StatusForbidden, "a NATS server", h.as("nats/as-nats"), request, "")
	}
	for name, c := range h.strangers {
		check(0, name, c, "GET /healthz", "")
	}
	if got := h.ask(nil, "GET", "http://"+address+"/metrics", ""); got != http.StatusBadRequest {
		h.t.Errorf("%s without TLS: %d", address, got)
	}
	for name, x := range tokens {
		want := map[certs.Role]int{"": http.StatusUnauthorized, access.Join: http.StatusForbidden}[x.role]
		if want == 0 {
			want = http.StatusOK
		}
		check(want, name, h.with(nil), "GET /api/v1/jobs", x.text)
	}
}

// tryNATS: coordinators write, people read, and nobody else comes in.
func (h *house) tryNATS() {
	open := func(c *tls.Config) (*nats.Conn, error) {
		return nats.Connect("tls://"+h.nats, nats.Secure(c), nats.MaxReconnects(0), nats.Timeout(Limit), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	}
	refused := map[string]*tls.Config{"nobody": h.with(nil), "a worker": h.as("worker/as-worker"), "a NATS server": h.as("nats/as-nats")}
	for name, c := range h.strangers {
		refused[name] = c
	}
	for name, c := range refused {
		if n, err := open(c); err == nil {
			n.Close()
			h.t.Errorf("NATS lets in %s", name)
		}
	}
	if n, err := nats.Connect("nats://"+h.nats, nats.MaxReconnects(0)); err == nil {
		n.Close()
		h.t.Error("NATS is spoken to without TLS")
	}
	for role, writes := range map[string]bool{"reader": false, "user": false, "admin": false, "coordinator": true} {
		n, err := open(h.as(role + "/as-" + role))
		if err != nil {
			h.t.Errorf("NATS refuses a %s: %v", role, err)
			continue
		}
		if err := errors.Join(n.Publish("lockstep.v1.job.x.state", []byte("{}")), n.FlushTimeout(Limit)); err != nil {
			h.t.Errorf("NATS, a %s: %v", role, err)
		}
		if err := fmt.Sprint(n.LastError()); strings.Contains(err, "ermissions") == writes {
			h.t.Errorf("NATS, a %s publishes: %s", role, err)
		}
		n.Close()
	}
}
