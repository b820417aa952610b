package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

const (
	// CAValidity is how long an authority is good for.
	CAValidity = 10 * 365 * 24 * time.Hour
	// Validity is how long a certificate is good for, unless it is said otherwise.
	Validity = 365 * 24 * time.Hour
	// skew is how far clocks may be apart.
	skew = 5 * time.Minute
)

// CA is a certificate authority.
type CA struct {
	cert    *x509.Certificate
	key     crypto.Signer
	trusted []*x509.Certificate // by all whom it gives an identity; it is one of them
}

// NewCA makes an authority with a key of its own.
func NewCA(name string) (*CA, error) { return newCA(name, func(*x509.Certificate) {}) }

// AnyWorker is a host's name that every worker's certificate is good for, for programs that verify one, such as Prometheus:
// a worker may be at any address. It belongs to nobody (RFC 2606).
const AnyWorker = "worker.invalid"

// newWorkerCA makes an authority that is good for workers alone: no verifier takes its certificates for another's
// identity (RFC 5280, name constraints), nor does a browser for any host's.
func newWorkerCA(name string) (*CA, error) {
	return newCA(name, func(t *x509.Certificate) {
		t.PermittedDNSDomainsCritical = true // all constraints are
		t.PermittedURIDomains = []string{Identity{Role: Worker}.uri().Host}
		t.PermittedDNSDomains = []string{AnyWorker}
		for _, all := range []string{"0.0.0.0/0", "::/0"} {
			_, network, err := net.ParseCIDR(all)
			if err != nil {
				panic(err)
			}
			t.ExcludedIPRanges = append(t.ExcludedIPRanges, network)
		}
	})
}

func newCA(name string, limit func(*x509.Certificate)) (*CA, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	id := sha256.Sum256([]byte(now.String() + name))
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name, Organization: []string{"Lockstep"}},
		NotBefore: now.Add(-skew), NotAfter: now.Add(CAValidity), SubjectKeyId: id[:20],
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	limit(t)
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return &CA{cert, key, []*x509.Certificate{cert}}, err
}

// NewKey makes a private key on P-256.
func NewKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] &= 0x7f // positive, as RFC 5280 wants it
	return new(big.Int).SetBytes(b)
}

// Issue signs a certificate for a public key, which is good for the identity and, for browsers, the hosts: names or IP
// addresses.
func (a *CA) Issue(who Identity, hosts []string, public crypto.PublicKey, validity time.Duration) (*x509.Certificate, error) {
	if _, err := ParseIdentity(who.String()); err != nil {
		return nil, err
	}
	if validity <= 0 {
		return nil, fmt.Errorf("issue certificate: validity of %v", validity)
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: who.Name, OrganizationalUnit: []string{string(who.Role)}, Organization: []string{"Lockstep"}},
		NotBefore: now.Add(-skew), NotAfter: earlier(now.Add(validity), a.cert.NotAfter), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if who.Role.serves() {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	t.URIs = []*url.URL{who.uri()}
	if who.Role == Worker {
		t.DNSNames = append(t.DNSNames, AnyWorker)
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// SignRequest issues a certificate for the key of a PKCS #10 request, whose other contents do not matter.
func (a *CA) SignRequest(der []byte, who Identity, validity time.Duration) (*x509.Certificate, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	if k, ok := r.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		return nil, errors.New("certificate request: want an ECDSA key on P-256")
	}
	return a.Issue(who, nil, r.PublicKey, validity)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
