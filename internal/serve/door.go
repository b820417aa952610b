package serve

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"lockstep/internal/certs"
)

// DoorFiles say what a server shows of itself, and who may come in. All are read again when they change.
type DoorFiles struct {
	Cert, Key string // of the server, in PEM; empty: requests are not encrypted
	ClientCA  string // in PEM: who has a certificate of this authority may come in
	Tokens    string // one in a line: who shows one may come in
}

// AddFlags adds the flags of the files.
func (d *DoorFiles) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&d.Cert, "serve-tls-cert", "", "answer over HTTPS, with the certificate in `FILE`, such as one of \"lockstep certs issue serve/NAME=HOST\"")
	f.StringVar(&d.Key, "serve-tls-key", "", "`FILE` of the key to --serve-tls-cert")
	f.StringVar(&d.ClientCA, "client-tls-ca", "", "answer to who has a certificate of the authority in `FILE`; of a cluster's own, to readers, users and administrators")
	f.StringVar(&d.Tokens, "client-tokens", "", "answer to who shows a token of `FILE` as \"Authorization: Bearer TOKEN\"; one in a line, such as \"openssl rand -hex 32\" makes")
}

// Encrypted reports whether requests come over HTTPS.
func (d *DoorFiles) Encrypted() bool { return d.Cert != "" }

// Guarded reports whether it matters who asks.
func (d *DoorFiles) Guarded() bool { return d.ClientCA != "" || d.Tokens != "" }

// Door is what a server shows of itself, and who may come in. A nil door is open.
type Door struct {
	own     *certs.Watched[*tls.Certificate]  // nil: requests are not encrypted
	clients *certs.Watched[*x509.CertPool]    // nil: certificates do not matter
	tokens  *certs.Watched[map[[32]byte]bool] // by their SHA-256; nil: there are none
}

// Open reads the files and says what is wrong with them.
func (d *DoorFiles) Open() (door *Door, err error) {
	switch {
	case (d.Cert == "") != (d.Key == ""):
		return nil, errors.New("--serve-tls-cert and --serve-tls-key go together")
	case d.ClientCA != "" && d.Cert == "":
		return nil, errors.New("--client-tls-ca needs --serve-tls-cert and --serve-tls-key: certificates are shown over HTTPS only")
	}
	door = &Door{}
	if d.Cert != "" {
		if door.own, err = certs.Watch(d.readOwn, d.Cert, d.Key); err != nil {
			return nil, fmt.Errorf("read --serve-tls-cert %s, --serve-tls-key %s: %w", d.Cert, d.Key, err)
		}
	}
	if d.ClientCA != "" {
		if door.clients, err = certs.Watch(func() (*x509.CertPool, error) { return certs.ReadPool(d.ClientCA) }, d.ClientCA); err != nil {
			return nil, fmt.Errorf("--client-tls-ca: %w", err)
		}
	}
	if d.Tokens != "" {
		if door.tokens, err = certs.Watch(d.readTokens, d.Tokens); err != nil {
			return nil, fmt.Errorf("read --client-tokens %s: %w", d.Tokens, err)
		}
	}
	return door, nil
}

func (d *DoorFiles) readOwn() (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(d.Cert, d.Key)
	return &c, err
}

// minToken is how many characters a token has at least: nobody guesses 128 bits in hexadecimal.
const minToken = 32

// readTokens reads a token from each line that is not empty and not a comment.
func (d *DoorFiles) readTokens() (map[[32]byte]bool, error) {
	text, err := os.ReadFile(d.Tokens)
	if err != nil {
		return nil, err
	}
	all := map[[32]byte]bool{}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#':
		case len(line) < minToken:
			return nil, fmt.Errorf("line %d: a token of %d characters, want at least %d; \"openssl rand -hex 32\" makes one", number, len(line), minToken)
		default:
			all[sha256.Sum256(line)] = true
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is no token in it")
	}
	return all, nil
}

// config is the TLS configuration of a server; nil without a certificate.
func (d *Door) config() *tls.Config {
	if d == nil || d.own == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{*d.own.Now()}}
		if d.clients != nil {
			c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, d.clients.Now() // health is open to who has none
		}
		return c, nil
	}}
}

// guard lets requests in, or not. Health may be asked for by anybody.
func (d *Door) guard(next http.Handler) http.Handler {
	if d == nil || d.clients == nil && d.tokens == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/health/") {
			next.ServeHTTP(w, r)
			return
		}
		if err := d.admit(r); err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="lockstep"`)
			fail(w, http.StatusUnauthorized, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit says why a request is not let in.
func (d *Door) admit(r *http.Request) error {
	if d.clients != nil && len(r.TLS.PeerCertificates) > 0 { // verified in the handshake
		who, err := certs.IdentityOf(r.TLS.PeerCertificates[0])
		if err == nil && !who.Role.Person() {
			return fmt.Errorf("the certificate is of %s: want that of a reader, a user or an administrator", who)
		}
		return nil // an authority that is no cluster's has no roles
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case d.tokens == nil:
		return errors.New("show a certificate")
	case !ok && d.clients == nil:
		return errors.New("show a token: Authorization: Bearer TOKEN")
	case !ok:
		return errors.New("show a certificate, or a token: Authorization: Bearer TOKEN")
	case !d.tokens.Now()[sha256.Sum256([]byte(token))]:
		return errors.New("the token is unknown")
	}
	return nil
}
