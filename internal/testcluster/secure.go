package testcluster

import (
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	"lockstep/internal/certs"
	"lockstep/internal/client"
)

// files are the certificate of an identity, which is made if it is not there; nil where the cluster has none.
func (c *Cluster) files(identity string) *certs.Files {
	c.t.Helper()
	if !c.opts.Secure {
		return nil
	}
	if c.certs == nil {
		c.certs = &certs.Folder{Dir: filepath.Join(c.dir, "certs"), Keep: true, Hosts: []string{"127.0.0.1"}, Validity: 365 * 24 * time.Hour}
		if _, err := c.certs.Init("test"); err != nil {
			c.t.Fatal(err)
		}
	}
	who, err := certs.ParseIdentity(identity)
	if err != nil {
		c.t.Fatal(err)
	}
	dir, _, err := c.certs.Issue(who)
	if err != nil {
		c.t.Fatal(err)
	}
	return &certs.Files{CA: filepath.Join(dir, certs.CAFile), Cert: filepath.Join(dir, certs.CertFile), Key: filepath.Join(dir, certs.KeyFile)}
}

// tlsArgs are the flags with which a process shows who it is.
func (c *Cluster) tlsArgs(identity string) []string {
	f := c.files(identity)
	if f == nil {
		return nil
	}
	return []string{"--" + certs.FlagCA, f.CA, "--" + certs.FlagCert, f.Cert, "--" + certs.FlagKey, f.Key}
}

// dial makes a client that shows the certificate of an identity, if the cluster has any.
func (c *Cluster) dial(identity string, addresses ...string) *client.Client {
	c.t.Helper()
	var source certs.Source
	if f := c.files(identity); f != nil {
		var err error
		if source, err = f.Source(certs.Named); err != nil {
			c.t.Fatal(err)
		}
	}
	one, err := client.Dial(addresses, grpc.WithTransportCredentials(certs.ClientCredentials(source, certs.Coordinator, certs.Worker)))
	if err != nil {
		c.t.Fatal(err)
	}
	return one
}
