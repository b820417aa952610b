package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issue makes a folder with an identity of the authority in dir, and returns its files.
func issue(t *testing.T, dir, who string) *Files {
	t.Helper()
	id, err := ParseIdentity(who)
	if err != nil {
		t.Fatal(err)
	}
	f := Folder{Dir: dir, Keep: true, Validity: 365 * 24 * time.Hour}
	if _, err := f.Init("test"); err != nil {
		t.Fatal(err)
	}
	at, _, err := f.Issue(id)
	if err != nil {
		t.Fatal(err)
	}
	return filesIn(at)
}

func filesIn(dir string) *Files {
	return &Files{CA: filepath.Join(dir, CAFile), Cert: filepath.Join(dir, CertFile), Key: filepath.Join(dir, KeyFile)}
}

// expired makes files of an identity whose time is over.
func expired(t *testing.T, dir, who string) *Files {
	t.Helper()
	id, err := ParseIdentity(who)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := LoadCA(filepath.Join(dir, CAFile), filepath.Join(dir, CAKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "expired")
	ca.cert.NotAfter = time.Now().Add(-time.Minute) // the certificate's end is not after the authority's
	err = ca.SaveIdentity(at, func(public crypto.PublicKey) (*x509.Certificate, error) { return ca.Issue(id, nil, public, time.Hour) }, false)
	if err != nil {
		t.Fatal(err)
	}
	f := filesIn(at)
	f.CA = filepath.Join(dir, CAFile)
	return f
}

// talk lets two sides greet one another, and returns what each of them thinks of it.
func talk(t *testing.T, server, client *tls.Config) (atServer, atClient error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := Listener(l, server).Accept()
		if err == nil {
			defer c.Close()
			_, err = c.Write([]byte("!"))
		}
		done <- err
	}()
	c, err := Dial(t.Context(), l.Addr().String(), client)
	if err == nil {
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	return <-done, err
}

func TestWhoTalksToWhom(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	coordinator, worker, admin := issue(t, dir, "coordinator/c"), issue(t, dir, "worker/w"), issue(t, dir, "admin/a")
	stranger, late := issue(t, other, "coordinator/c"), expired(t, dir, "coordinator/late")
	nobody := &Files{CA: coordinator.CA}
	for _, c := range []struct {
		name           string
		server, client *tls.Config
		refusing       string // side that does not want the other; empty: they talk
	}{
		{"coordinators", Server(coordinator, Coordinator), Client(coordinator, Coordinator), ""},
		{"worker at a coordinator", Server(coordinator), Client(worker, Coordinator), ""},
		{"nobody at a port with health", Server(coordinator), Client(nobody, Coordinator), ""},
		{"worker at raft", Server(coordinator, Coordinator), Client(worker, Coordinator), "server"},
		{"admin at raft", Server(coordinator, Coordinator), Client(admin, Coordinator), "server"},
		{"nobody at raft", Server(coordinator, Coordinator), Client(nobody, Coordinator), "server"},
		{"another cluster's coordinator at raft", Server(coordinator, Coordinator), Client(both(stranger, coordinator), Coordinator), "server"},
		{"another cluster's coordinator at health", Server(coordinator), Client(both(stranger, coordinator), Coordinator), "server"},
		{"an old certificate", Server(coordinator, Coordinator), Client(late, Coordinator), "server"},
		{"a worker in the place of a coordinator", Server(worker), Client(worker, Coordinator), "client"},
		{"a person in the place of a coordinator", Server(admin), Client(worker, Coordinator), "client"},
		{"another cluster in its place", Server(stranger), Client(worker, Coordinator), "client"},
		{"an old server", Server(late), Client(worker, Coordinator), "client"},
		{"TLS 1.2", Server(coordinator), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}, "server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			atServer, atClient := talk(t, c.server, c.client)
			if (atClient != nil) != (c.refusing != "") {
				t.Errorf("client: %v, server: %v; want refused by %q", atClient, atServer, c.refusing)
			}
			if c.refusing == "server" && atServer == nil {
				t.Error("the server took it")
			}
		})
	}
}

// both shows the certificate of one cluster and trusts another.
func both(shows, trusts Source) *mixed { return &mixed{shows, trusts} }

type mixed struct{ shows, trusts Source }

func (m *mixed) Current() (*tls.Certificate, *x509.CertPool, error) {
	own, _, err := m.shows.Current()
	if err != nil {
		return nil, nil, err
	}
	_, roots, err := m.trusts.Current()
	return own, roots, err
}

func TestFilesAreReadAgain(t *testing.T) {
	dir, next := t.TempDir(), t.TempDir()
	server, client := issue(t, dir, "coordinator/c"), issue(t, dir, "worker/w")
	if _, err := server.Source(Named); err != nil {
		t.Fatal(err)
	}
	serve := Server(server)
	if _, err := talk(t, serve, Client(client, Coordinator)); err != nil {
		t.Fatal(err)
	}
	newer := issue(t, next, "coordinator/c")
	for _, f := range [][2]string{{newer.CA, server.CA}, {newer.Cert, server.Cert}, {newer.Key, server.Key}} {
		data, err := os.ReadFile(f[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f[1], data, 0o600); err != nil {
			t.Fatal(err)
		}
		// Between one file and the next they do not fit: the old ones stay.
		if f[1] != server.Key {
			if _, err := talk(t, serve, Client(client, Coordinator)); err != nil {
				t.Errorf("while files change: %v", err)
			}
		}
	}
	if _, err := talk(t, serve, Client(client, Coordinator)); err == nil {
		t.Error("the old authority is still trusted")
	}
	if _, err := talk(t, serve, Client(issue(t, next, "worker/w"), Coordinator)); err != nil {
		t.Errorf("with the new authority: %v", err)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	files := issue(t, dir, "worker/w")
	for _, path := range []string{files.CA, files.Cert, files.Key, filepath.Join(dir, CAKeyFile)} {
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	f := Folder{Dir: dir, Validity: time.Hour}
	if _, err := f.Init("again"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("init again: %v", err)
	}
	if _, _, err := f.Issue(Identity{Worker, "w"}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("issue again: %v", err)
	}
	before, err := os.ReadFile(files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	f.Keep = true
	if _, made, err := f.Issue(Identity{Worker, "w"}); made || err != nil {
		t.Errorf("a good certificate was not kept: %v, %v", made, err)
	}
	if _, made, err := f.Issue(Identity{Reader, "w"}); !made || err != nil { // an hour is not a month
		t.Errorf("another's certificate was kept: %v, %v", made, err)
	}
	if _, made, err := f.Issue(Identity{Reader, "w"}); !made || err != nil {
		t.Errorf("a certificate at its end was kept: %v, %v", made, err)
	}
	if after, err := os.ReadFile(files.Cert); err != nil || string(after) == string(before) {
		t.Errorf("it was not replaced: %v", err)
	}
	for _, hosts := range [][]string{{"a.example", "192.0.2.1"}, {"a.example"}, {"a.example", "b.example"}} {
		f := Folder{Dir: dir, Keep: true, Validity: 365 * 24 * time.Hour, Hosts: hosts[:1]}
		if _, made, err := f.Issue(Identity{Worker, "w"}, hosts[1:]...); made == (len(hosts) == 1) || err != nil {
			t.Errorf("for hosts %v: made: %v, %v", hosts, made, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, WorkerCA, KeyFile)); err != nil { // as with those of an older version
		t.Fatal(err)
	}
	if made, err := f.Init("again"); !made || err != nil {
		t.Errorf("without a workers' authority: %v, %v", made, err)
	}
	for _, want := range []bool{true, false} { // it has to trust the new one
		f := Folder{Dir: dir, Keep: true, Validity: 365 * 24 * time.Hour}
		if _, made, err := f.Issue(Identity{Worker, "w"}); made != want || err != nil {
			t.Errorf("made: %v, %v, want %v", made, err, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".new*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	w, c := issue(t, dir, "worker/w"), issue(t, dir, "coordinator/c")
	other := issue(t, t.TempDir(), "worker/w")
	for want, f := range map[string]*Files{
		"--tls-ca is missing":                     {Cert: w.Cert, Key: w.Key},
		"go together":                             {CA: w.CA, Cert: w.Cert},
		"--tls-ca alone":                          {CA: w.CA},
		"no such file":                            {CA: w.CA, Cert: w.Cert, Key: "nowhere"},
		"private key does not match":              {CA: w.CA, Cert: w.Cert, Key: c.Key},
		"certificate signed by unknown authority": {CA: other.CA, Cert: w.Cert, Key: w.Key},
		"there is no certificate in it":           {CA: w.Key, Cert: w.Cert, Key: w.Key},
		"no identity":                             {CA: w.CA, Cert: w.CA, Key: filepath.Join(dir, CAKeyFile)},
	} {
		if _, err := f.Source(Named); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if s, err := (&Files{}).Source(Named); s != nil || err != nil {
		t.Errorf("no files: %v, %v", s, err)
	}
}

func FuzzParseIdentity(f *testing.F) {
	for _, s := range []string{"worker/w", "admin/", "x/y", "worker/../a", "worker/a b", "", "nats/nats.example-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		i, err := ParseIdentity(s)
		if err != nil {
			return
		}
		if i.String() != s || filepath.Base(i.Name) != i.Name || strings.HasPrefix(i.Name, ".") {
			t.Errorf("%q is %v", s, i)
		}
		u := i.uri()
		if again, err := IdentityOf(&x509.Certificate{URIs: []*url.URL{u}}); err != nil || again != i {
			t.Errorf("%q comes back as %v: %v", s, again, err)
		}
	})
}

func FuzzParseCerts(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseCerts(data)
		if err == nil && len(list) == 0 {
			t.Error("neither certificates nor an error")
		}
		for _, c := range list {
			IdentityOf(c)
		}
	})
}
