package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/pflag"
)

// Source has what a process shows of itself and what it trusts, as they are at the moment.
type Source interface {
	// Current returns the own certificate, nil if there is none, and the authorities that are trusted.
	Current() (*tls.Certificate, *x509.CertPool, error)
}

// Files are certificates and a key in PEM files. They are read again when they have changed; as long as a new version
// cannot be read the one before it stays. Files is a Source, and safe for concurrent use, once Source was called.
type Files struct {
	CA, Cert, Key string

	mu   sync.Mutex
	held *Watched[shown] // nil: not read yet; under mu
}

// shown is what files hold.
type shown struct {
	cert  *tls.Certificate // nil: none
	roots *x509.CertPool
}

// The flags of the files.
const (
	FlagCA   = "tls-ca"
	FlagCert = "tls-cert"
	FlagKey  = "tls-key"
)

// AddFlags adds the flags of the files.
func (f *Files) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.CA, FlagCA, "", "certificate `FILE` of the cluster's authority: connections are encrypted, and only who has a certificate of it is trusted")
	flags.StringVar(&f.Cert, FlagCert, "", "certificate `FILE` of this process, from \"lockstep certs issue\"; read again when it changes")
	flags.StringVar(&f.Key, FlagKey, "", "`FILE` of the key to --tls-cert")
}

// Given reports whether any file is named.
func (f *Files) Given() bool { return f.CA != "" || f.Cert != "" || f.Key != "" }

// Named or Anonymous says whether a process must have a certificate of its own.
const (
	Named     = false
	Anonymous = true
)

// Source reads the files for the first time and says what is wrong with them. Without any files there is no source: nil.
func (f *Files) Source(anonymous bool) (Source, error) {
	switch {
	case !f.Given():
		return nil, nil
	case f.CA == "":
		return nil, errors.New("--tls-ca is missing: who is trusted?")
	case (f.Cert == "") != (f.Key == ""):
		return nil, errors.New("--tls-cert and --tls-key go together")
	case f.Cert == "" && !anonymous:
		return nil, errors.New("--tls-cert and --tls-key are missing: --tls-ca alone does not say who this process is")
	}
	if _, _, err := f.Current(); err != nil {
		return nil, err
	}
	return f, nil
}

// Current implements Source.
func (f *Files) Current() (*tls.Certificate, *x509.CertPool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held == nil {
		held, err := Watch(f.read, f.CA, f.Cert, f.Key)
		if err != nil {
			return nil, nil, err
		}
		f.held = held
	}
	now := f.held.Now()
	return now.cert, now.roots, nil
}

func (f *Files) read() (now shown, err error) {
	if now.roots, err = ReadPool(f.CA); err == nil && f.Cert != "" {
		now.cert, err = readOwn(f.Cert, f.Key, now.roots)
	}
	return now, err
}

// ReadPool reads the certificates of authorities in a PEM file.
func ReadPool(path string) (*x509.CertPool, error) {
	list, err := readCerts(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range list {
		pool.AddCert(c)
	}
	return pool, nil
}

// readOwn reads the own certificate, which the others have to be able to verify.
func readOwn(certFile, keyFile string, roots *x509.CertPool) (*tls.Certificate, error) {
	own, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", certFile, keyFile, err)
	}
	if _, err := IdentityOf(own.Leaf); err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", certFile, err)
	}
	// An expired one may still be replaced: whoever it is shown to refuses it.
	at := earlier(time.Now(), own.Leaf.NotAfter)
	if _, err := own.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return nil, fmt.Errorf("certificate %s: %w", certFile, err)
	}
	return &own, nil
}
