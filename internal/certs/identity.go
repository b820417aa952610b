package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Role is what an identity may do.
type Role string

// The roles. Coordinators, workers, NATS and model servers are processes; the others are people and their programs, each with
// all that the ones before it may do.
const (
	Coordinator Role = "coordinator"
	Worker      Role = "worker"
	NATS        Role = "nats"
	Serve       Role = "serve" // a server of a model; nothing in the cluster is open to it
	Reader      Role = "reader"
	User        Role = "user"
	Admin       Role = "admin"
)

// Roles are all that a certificate can have.
var Roles = []Role{Coordinator, Worker, NATS, Serve, Reader, User, Admin}

// serves reports whether others connect to processes of the role.
func (r Role) serves() bool { return r == Coordinator || r == Worker || r == NATS || r == Serve }

// Person reports whether the role is that of people and their programs.
func (r Role) Person() bool { return r == Reader || r == User || r == Admin }

// Identity is who somebody is.
type Identity struct {
	Role Role
	Name string
}

// String is the identity as it is logged: role/name.
func (i Identity) String() string { return string(i.Role) + "/" + i.Name }

// name is also a folder's.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ParseIdentity reads ROLE/NAME.
func ParseIdentity(s string) (Identity, error) {
	role, n, _ := strings.Cut(s, "/")
	i := Identity{Role(role), n}
	switch {
	case !slices.Contains(Roles, i.Role):
		return i, fmt.Errorf("identity %q: want ROLE/NAME, with a role of %s", s, joined(Roles))
	case !name.MatchString(n):
		return i, fmt.Errorf("identity %q: want a name of letters, digits, dots, dashes and underscores behind the slash, at most 63", s)
	}
	return i, nil
}

func joined(roles []Role) string {
	var s []string
	for _, r := range roles {
		s = append(s, string(r))
	}
	return strings.Join(s, ", ")
}

const scheme = "lockstep"

func (i Identity) uri() *url.URL {
	return &url.URL{Scheme: scheme, Host: string(i.Role), Path: "/" + i.Name}
}

// errNoIdentity is what a certificate is that this cluster's tools did not make.
var errNoIdentity = errors.New("the certificate has no identity lockstep://ROLE/NAME")

// IdentityOf reads the identity that a certificate is for. The caller has verified the certificate.
func IdentityOf(c *x509.Certificate) (Identity, error) {
	var found []*url.URL
	for _, u := range c.URIs {
		if u.Scheme == scheme {
			found = append(found, u)
		}
	}
	if len(found) != 1 {
		return Identity{}, errNoIdentity
	}
	return ParseIdentity(found[0].Host + found[0].Path)
}
