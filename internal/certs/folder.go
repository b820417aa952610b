package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Folder is where an authority is kept: its files, and under the name of each identity that it has issued a folder with
// all that this one needs.
//
//	DIR/ca.pem  DIR/ca-key.pem  DIR/worker-ca/key.pem  DIR/NAME/ca.pem  DIR/NAME/cert.pem  DIR/NAME/key.pem
type Folder struct {
	Dir      string
	Force    bool          // replaces files that are there
	Keep     bool          // leaves alone what is there and good for a while
	Hosts    []string      // for which the certificates are good in browsers
	Validity time.Duration // of a certificate
}

// keepFor is how much longer what is kept has to be good.
const keepFor = 30 * 24 * time.Hour

// Init makes the authority, and one for workers alone, which is trusted beside it: coordinators may have its key. What there
// is of them stays if it is to be kept.
func (f Folder) Init(name string) (made bool, err error) {
	var ca *CA
	if _, err := os.Stat(filepath.Join(f.Dir, CAKeyFile)); f.Keep && !errors.Is(err, fs.ErrNotExist) {
		if ca, err = f.authority(); err != nil {
			return false, err
		}
		if _, err := LoadCA(filepath.Join(f.Dir, CAFile), f.workerKey()); err == nil {
			return false, nil
		}
	} else if ca, err = NewCA(name); err != nil {
		return false, err
	}
	workers, err := newWorkerCA(name + ", workers")
	if err != nil {
		return false, err
	}
	force := f.Force || f.Keep
	if err := writeCerts(filepath.Join(f.Dir, CAFile), force, ca.cert, workers.cert); err != nil {
		return false, err
	}
	if err := writeKey(f.workerKey(), workers.key, force); err != nil {
		return false, err
	}
	return true, writeKey(filepath.Join(f.Dir, CAKeyFile), ca.key, force) // the last: without it there is no authority
}

func (f Folder) workerKey() string { return filepath.Join(f.Dir, WorkerCA, KeyFile) }

func (f Folder) authority() (*CA, error) {
	return LoadCA(filepath.Join(f.Dir, CAFile), filepath.Join(f.Dir, CAKeyFile))
}

// Issue makes a certificate for an identity, unless it is to be kept, and returns its folder. It is good in browsers for
// these hosts, beside those of the folder.
func (f Folder) Issue(who Identity, hosts ...string) (dir string, made bool, err error) {
	dir, hosts = filepath.Join(f.Dir, who.Name), slices.Concat(f.Hosts, hosts)
	ca, err := f.authority()
	if err != nil {
		return dir, false, err
	}
	if f.Keep && ca.stillGood(dir, who, hosts) {
		return dir, false, nil
	}
	return dir, true, ca.SaveIdentity(dir, func(public crypto.PublicKey) (*x509.Certificate, error) {
		return ca.Issue(who, hosts, public, f.Validity)
	}, f.Force || f.Keep)
}

// stillGood reports whether a folder has a certificate of this authority for the identity and the hosts that lasts for a
// while, and trusts who is to be trusted.
func (a *CA) stillGood(dir string, who Identity, hosts []string) bool {
	trusted, err := readCerts(filepath.Join(dir, CAFile))
	if err != nil || !slices.EqualFunc(trusted, a.trusted, (*x509.Certificate).Equal) {
		return false
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	own, err := readOwn(filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile), roots)
	if err != nil {
		return false
	}
	for _, h := range hosts {
		if own.Leaf.VerifyHostname(h) != nil {
			return false
		}
	}
	is, err := IdentityOf(own.Leaf)
	return err == nil && is == who && time.Until(own.Leaf.NotAfter) > keepFor
}
