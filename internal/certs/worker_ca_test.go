package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"testing"
	"time"
)

// TestWorkerCA: the key that coordinators have to enroll workers with makes workers, and nobody else.
func TestWorkerCA(t *testing.T) {
	dir := t.TempDir()
	coordinator := issue(t, dir, "coordinator/c")
	ca, err := LoadCA(filepath.Join(dir, CAFile), filepath.Join(dir, WorkerCA, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	made := func(who string, hosts ...string) *Files {
		at := filepath.Join(dir, "made", who)
		id, err := ParseIdentity(who)
		if err == nil {
			err = ca.SaveIdentity(at, func(public crypto.PublicKey) (*x509.Certificate, error) {
				return ca.Issue(id, hosts, public, time.Hour)
			}, false)
		}
		if err != nil {
			t.Fatal(err)
		}
		return filesIn(at)
	}
	worker := made("worker/w")
	if atServer, atClient := talk(t, Server(coordinator), Client(worker, Coordinator)); atServer != nil || atClient != nil {
		t.Errorf("a worker: %v, %v", atServer, atClient)
	}
	if atServer, atClient := talk(t, Server(worker), Client(coordinator, Worker)); atServer != nil || atClient != nil {
		t.Errorf("with a worker: %v, %v", atServer, atClient)
	}
	for _, role := range []Role{Coordinator, NATS, Serve, Reader, User, Admin} {
		forged := made(string(role) + "/x")
		if _, err := forged.Source(Named); err == nil {
			t.Errorf("%s: the files are taken", role)
		}
		forger := both(unchecked{forged}, coordinator)
		if atServer, _ := talk(t, Server(coordinator), Client(forger, Coordinator)); atServer == nil {
			t.Errorf("%s: a server takes it", role)
		}
		if _, atClient := talk(t, Server(forger), Client(coordinator, Roles...)); atClient == nil {
			t.Errorf("%s: a client takes it", role)
		}
	}
	for _, host := range []string{"a.example", "192.0.2.1"} {
		if _, err := made("worker/"+host, host).Source(Named); err == nil {
			t.Errorf("it is good for the host %s", host)
		}
	}
}

// unchecked shows what its files hold.
type unchecked struct{ f *Files }

func (u unchecked) Current() (*tls.Certificate, *x509.CertPool, error) {
	own, err := tls.LoadX509KeyPair(u.f.Cert, u.f.Key)
	return &own, nil, err
}
