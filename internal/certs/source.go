package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
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
// cannot be read the one before it stays. Files is safe for concurrent use once Source was called.
type Files struct {
	CA, Cert, Key string

	mu    sync.Mutex
	seen  [3]version       // of the files; under mu
	cert  *tls.Certificate // nil: none; under mu
	roots *x509.CertPool   // under mu
}

// version tells whether a file has changed.
type version struct {
	at   time.Time
	size int64
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
	if !f.Given() {
		return nil, nil
	}
	if err := f.load(anonymous); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Files) load(anonymous bool) error {
	switch {
	case f.CA == "":
		return errors.New("--tls-ca is missing: who is trusted?")
	case (f.Cert == "") != (f.Key == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case f.Cert == "" && !anonymous:
		return errors.New("--tls-cert and --tls-key are missing: --tls-ca alone does not say who this process is")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read(f.versions())
}

// Current implements Source.
func (f *Files) Current() (*tls.Certificate, *x509.CertPool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.versions(); now != f.seen || f.roots == nil {
		if err := f.read(now); err != nil && f.roots == nil {
			return nil, nil, err
		}
	}
	return f.cert, f.roots, nil
}

func (f *Files) versions() (v [3]version) {
	for i, path := range []string{f.CA, f.Cert, f.Key} {
		if info, err := os.Stat(path); err == nil {
			v[i] = version{info.ModTime(), info.Size()}
		}
	}
	return v
}

// read reads all files, or changes nothing.
//
// REQUIRES: f.mu
func (f *Files) read(now [3]version) error {
	list, err := readCerts(f.CA)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	for _, c := range list {
		roots.AddCert(c)
	}
	var own *tls.Certificate
	if f.Cert != "" {
		if own, err = readOwn(f.Cert, f.Key, roots); err != nil {
			return err
		}
	}
	f.cert, f.roots, f.seen = own, roots, now
	return nil
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
