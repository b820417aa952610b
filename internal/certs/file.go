package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of an authority and of an identity, each in a folder of its own.
const (
	CAFile    = "ca.pem"
	CAKeyFile = "ca-key.pem"
	CertFile  = "cert.pem"
	KeyFile   = "key.pem"
	WorkerCA  = "worker-ca" // the folder in the authority's with the key for workers alone, whose certificate is in CAFile too
)

const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
)

// maxFile bounds what is read of a file of certificates.
const maxFile = 1 << 20

// LoadCA reads an authority from its files.
func LoadCA(certFile, keyFile string) (*CA, error) {
	list, err := readCerts(certFile)
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if pub, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && c.IsCA && pub.Equal(key.Public()) {
			return &CA{c, key, list}, nil
		}
	}
	return nil, fmt.Errorf("the key in %s is not that of a certificate authority in %s", keyFile, certFile)
}

// SaveIdentity makes a key and a certificate for an identity and writes them into a folder, with the certificates of the
// authorities that are trusted beside them: all that a process needs.
func (a *CA) SaveIdentity(dir string, issue func(crypto.PublicKey) (*x509.Certificate, error), force bool) error {
	key, err := NewKey()
	if err != nil {
		return err
	}
	cert, err := issue(key.Public())
	if err != nil {
		return err
	}
	if err := writeKey(filepath.Join(dir, KeyFile), key, force); err != nil {
		return err
	}
	if err := writeCerts(filepath.Join(dir, CertFile), force, cert); err != nil {
		return err
	}
	return writeCerts(filepath.Join(dir, CAFile), force, a.trusted...)
}

func writeCerts(path string, force bool, list ...*x509.Certificate) error {
	var text []byte
	for _, c := range list {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: c.Raw})...)
	}
	return write(path, text, force)
}

func writeKey(path string, key crypto.Signer, force bool) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return write(path, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), force)
}

// write makes a file that only its owner reads, whole or not at all. One that is there is replaced only by force.
func write(path string, data []byte, force bool) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ignoreMissing(os.Remove(f.Name()))) }()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if force {
		return os.Rename(f.Name(), path)
	}
	err = os.Link(f.Name(), path) // unlike a rename it fails if the file is there
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: %w", path, fs.ErrExist)
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// read returns what a file of certificates or keys holds.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes: that is no certificate and no key", path, info.Size())
	}
	return os.ReadFile(path)
}

func readCerts(path string) ([]*x509.Certificate, error) {
	data, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	list, err := ParseCerts(data)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %s: %w", path, err)
	}
	return list, nil
}

// ParseCerts reads certificates in PEM, one or more.
func ParseCerts(data []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemCertificate {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("there is no certificate in it")
	}
	return list, nil
}

func readKey(path string) (crypto.Signer, error) {
	data, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != pemKey {
		return nil, fmt.Errorf("read key: %s: there is no %s in it", path, pemKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read key: %s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("read key: %s: a %T cannot sign", path, key)
	}
	return signer, nil
}
