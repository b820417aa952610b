package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Server is the configuration of a listener. Peers show a certificate of one of the roles; with no role given they may
// come without, and with any: then who may do what is decided by what they ask for.
func Server(s Source, peers ...Role) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, ClientAuth: tls.VerifyClientCertIfGiven,
		NextProtos: []string{"h2", "http/1.1"}}
	c.VerifyConnection = func(state tls.ConnectionState) error { return identified(state) }
	if len(peers) > 0 {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		c.VerifyConnection = func(state tls.ConnectionState) error { return oneOf(state.PeerCertificates, peers) }
	}
	template := c.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		own, roots, err := s.Current()
		if err != nil {
			return nil, err
		}
		if own == nil {
			return nil, errNoCertificate
		}
		now := template.Clone()
		now.Certificates, now.ClientCAs = []tls.Certificate{*own}, roots
		return now, nil
	}
	return c
}

var errNoCertificate = errors.New("this process has no certificate")

// identified refuses certificates without an identity.
func identified(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	_, err := IdentityOf(state.PeerCertificates[0])
	return err
}

// Client is the configuration of a connection to a server of one of the roles.
func Client(s Source, servers ...Role) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			own, _, err := s.Current()
			if err != nil || own == nil {
				return &tls.Certificate{}, err
			}
			return own, nil
		},
		InsecureSkipVerify: true, // of the host's name; VerifyConnection verifies the chain, and the role
		VerifyConnection: func(state tls.ConnectionState) error {
			_, roots, err := s.Current()
			if err != nil {
				return err
			}
			if err := verifyChain(state.PeerCertificates, roots); err != nil {
				return err
			}
			return oneOf(state.PeerCertificates, servers)
		},
	}
}

func verifyChain(chain []*x509.Certificate, roots *x509.CertPool) error {
	if len(chain) == 0 {
		return errNoIdentity
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err
}

func oneOf(chain []*x509.Certificate, roles []Role) error {
	who, err := IdentityOf(chain[0])
	if err != nil {
		return err
	}
	if !slices.Contains(roles, who.Role) {
		return fmt.Errorf("%s is not one of %s", who, joined(roles))
	}
	return nil
}

// handshakeTimeout bounds a handshake.
const handshakeTimeout = 10 * time.Second

// Listener takes connections with a configuration of Server. The handshake is part of the first use of a connection.
func Listener(l net.Listener, c *tls.Config) net.Listener { return &listener{l, c} }

type listener struct {
	net.Listener
	config *tls.Config
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(tls.Server(conn, l.config)), nil
}

// conn is a connection whose handshake does not take for ever.
type conn struct {
	*tls.Conn
	shake func() error
}

func newConn(c *tls.Conn) *conn {
	return &conn{c, sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		defer cancel()
		return c.HandshakeContext(ctx)
	})}
}

func (c *conn) Read(b []byte) (int, error) {
	if err := c.shake(); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *conn) Write(b []byte) (int, error) {
	if err := c.shake(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Dial connects, and returns when the other side is known to be who it should be.
func Dial(ctx context.Context, address string, c *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	d := tls.Dialer{Config: c}
	return d.DialContext(ctx, "tcp", address)
}
