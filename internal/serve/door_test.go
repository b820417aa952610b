package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lockstep/internal/certs"
)

// authority is a cluster's, in a folder of its own.
type authority struct {
	certs.Folder
	t *testing.T
}

func newAuthority(t *testing.T) *authority {
	a := &authority{certs.Folder{Dir: t.TempDir(), Hosts: []string{"127.0.0.1"}, Validity: time.Hour}, t}
	if _, err := a.Init("test"); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue makes a certificate for ROLE/NAME and returns the paths of it and its key.
func (a *authority) issue(identity string) (cert, key string) {
	who, err := certs.ParseIdentity(identity)
	if err != nil {
		a.t.Fatal(err)
	}
	dir, _, err := a.Issue(who)
	if err != nil {
		a.t.Fatal(err)
	}
	return filepath.Join(dir, certs.CertFile), filepath.Join(dir, certs.KeyFile)
}

// client trusts the authority; with an identity it shows its certificate.
func (a *authority) client(identity string) *http.Client {
	text, err := os.ReadFile(filepath.Join(a.Dir, certs.CAFile))
	if err != nil {
		a.t.Fatal(err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM(text)
	if identity != "" {
		own, err := tls.LoadX509KeyPair(a.issue(identity))
		if err != nil {
			a.t.Fatal(err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}, Timeout: time.Minute}
}

// behind serves a model behind a door until the test ends, and returns its address.
func behind(t *testing.T, files DoorFiles) string {
	door, err := files.Open()
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(plain(t))
	cfg.Door = door
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return l.Addr().String()
}

// get returns the status of an answer, 0 if the connection was refused, and its text.
func get(t *testing.T, c *http.Client, url, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// put replaces a file as a whole.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

var (
	one = strings.Repeat("1", minToken)
	two = strings.Repeat("2", minToken+1)
)

// TestDoor: over HTTPS, who shows a person's certificate or a token comes in, and nobody else; health is open.
func TestDoor(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	files := DoorFiles{ClientCA: filepath.Join(a.Dir, certs.CAFile), Tokens: filepath.Join(t.TempDir(), "tokens")}
	files.Cert, files.Key = a.issue("serve/m")
	put(t, files.Tokens, "# of the shop\n"+one+"\n\n")
	at := "https://" + behind(t, files)
	for _, path := range []string{"/v2/health/live", "/v2/health/ready"} {
		if code, text := get(t, a.client(""), at+path, ""); code != http.StatusOK {
			t.Errorf("%s of nobody: %d %s", path, code, text)
		}
	}
	foreign := a.client("") // trusts the server, and shows another authority's certificate
	foreign.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = stranger.client("admin/x").Transport.(*http.Transport).TLSClientConfig.GetClientCertificate
	for _, x := range []struct {
		who    string
		client *http.Client
		token  string
		in     bool
		says   string
	}{
		{"nobody", a.client(""), "", false, "show a certificate, or a token"},
		{"a token", a.client(""), one, true, ""},
		{"another token", a.client(""), two, false, "unknown"},
		{"a reader", a.client("reader/r"), "", true, ""},
		{"an administrator", a.client("admin/a"), "", true, ""},
		{"a worker", a.client("worker/w"), "", false, "worker/w"},
		{"a worker with a token", a.client("worker/w2"), one, false, "worker/w2"},
		{"a stranger", foreign, one, false, "unknown certificate authority"},
	} {
		for _, path := range []string{"/v2", "/v2/models/m", "/v2/models/m/ready", "/metrics", "/v2/models/m/infer", "/"} {
			code, text := get(t, x.client, at+path, x.token)
			if in := code != http.StatusUnauthorized && code != 0; in != x.in || !strings.Contains(text, x.says) {
				t.Errorf("%s of %s: %d %s", path, x.who, code, text)
			}
		}
	}
	if code, _ := get(t, http.DefaultClient, "http"+at[5:]+"/v2/models/m", one); code != http.StatusBadRequest {
		t.Errorf("without TLS: %d", code)
	}
}

// TestDoorChanges: a token that is taken out of the file is void, and a file that cannot be read changes nothing.
func TestDoorChanges(t *testing.T) {
	files := DoorFiles{Tokens: filepath.Join(t.TempDir(), "tokens")}
	put(t, files.Tokens, one)
	at := "http://" + behind(t, files) + "/v2"
	want := func(token string, want int) {
		t.Helper()
		if code, text := get(t, http.DefaultClient, at, token); code != want {
			t.Errorf("%d %s, want %d", code, text, want)
		}
	}
	want(one, http.StatusOK)
	want(two, http.StatusUnauthorized)
	want("", http.StatusUnauthorized)
	put(t, files.Tokens, "short")
	want(one, http.StatusOK)
	put(t, files.Tokens, two)
	want(one, http.StatusUnauthorized)
	want(two, http.StatusOK)
}

// TestDoorRenewed: the next connection sees a certificate that was replaced.
func TestDoorRenewed(t *testing.T) {
	a := newAuthority(t)
	a.Force = true
	files := DoorFiles{}
	files.Cert, files.Key = a.issue("serve/m")
	at := behind(t, files)
	serial := func() string {
		c, err := tls.Dial("tcp", at, a.client("").Transport.(*http.Transport).TLSClientConfig)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	if serial() != before {
		t.Error("it shows another certificate each time")
	}
	a.issue("serve/m")
	if serial() == before {
		t.Error("it shows the old certificate")
	}
}

func TestBadDoors(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("serve/m")
	_, other := a.issue("serve/n")
	text := func(s string) string {
		path := filepath.Join(t.TempDir(), "f")
		put(t, path, s)
		return path
	}
	for want, files := range map[string]DoorFiles{
		"go together":          {Cert: cert},
		"needs --serve-tls":    {ClientCA: cert},
		"does not match":       {Cert: cert, Key: other},
		"no such file":         {Tokens: "/nowhere"},
		"no certificate in it": {Cert: cert, Key: key, ClientCA: key},
		"no token in it":       {Tokens: text("# none\n")},
		"line 2: a token of 5": {Tokens: text(one + "\nshort\n")},
	} {
		if _, err := files.Open(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
