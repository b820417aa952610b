package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
)

// Join is the role of tokens with which workers get a certificate. No certificate has it.
const Join certs.Role = "join"

// TokenRoles are the roles that a token can have.
var TokenRoles = []certs.Role{Join, certs.Reader, certs.User, certs.Admin}

// A token's text is prefix, its id, an underscore and the secret, both in hexadecimal. The id finds the token; the secret
// has 256 random bits, so its SHA-256 says nothing about it.
const (
	prefix    = "lockstep_"
	idLen     = 8
	secretLen = 32
)

// NewToken makes a token's text, and what the cluster keeps of it.
func NewToken(name string, role certs.Role, expires time.Time) (string, *lockstepv1.Token, error) {
	if !slices.Contains(TokenRoles, role) {
		return "", nil, fmt.Errorf("role %q: want one of %v", role, TokenRoles)
	}
	if _, err := certs.ParseIdentity(string(certs.Reader) + "/" + name); err != nil {
		return "", nil, fmt.Errorf("token %q: want a name of letters, digits, dots, dashes and underscores", name)
	}
	id, secret := make([]byte, idLen), make([]byte, secretLen)
	rand.Read(id)
	rand.Read(secret)
	hash := sha256.Sum256(secret)
	t := &lockstepv1.Token{Id: hex.EncodeToString(id), Name: name, Role: string(role), Sha256: hash[:]}
	if !expires.IsZero() {
		t.ExpiresMs = expires.UnixMilli()
	}
	return prefix + t.Id + "_" + hex.EncodeToString(secret), t, nil
}

// parseToken takes a token's text apart.
func parseToken(text string) (id string, hash [sha256.Size]byte, ok bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	id, secret, ok2 := strings.Cut(rest, "_")
	b, err := hex.DecodeString(secret)
	if !ok || !ok2 || err != nil || len(id) != 2*idLen || len(b) != secretLen {
		return "", hash, false
	}
	return id, sha256.Sum256(b), true
}

// TokenID is the id in a token's text, "" if it is none.
func TokenID(text string) string {
	id, _, _ := parseToken(text)
	return id
}

var errToken = errors.New("the token is unknown, was revoked or has expired")

// holder is whose token it is.
func (g *Guard) holder(text string) (certs.Identity, error) {
	id, hash, ok := parseToken(text)
	if !ok || g.Tokens == nil {
		return certs.Identity{}, errToken
	}
	t := g.Tokens(id)
	if t == nil {
		return certs.Identity{}, errToken
	}
	right := subtle.ConstantTimeCompare(hash[:], t.Sha256) == 1
	role := certs.Role(t.Role)
	if !right || t.ExpiresMs != 0 && time.Now().UnixMilli() >= t.ExpiresMs || !slices.Contains(TokenRoles, role) {
		return certs.Identity{}, errToken
	}
	return certs.Identity{Role: role, Name: t.Name}, nil
}

const bearer = "Bearer "

// Bearer shows a token with every call. It goes over encrypted connections only.
type Bearer string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b Bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": bearer + string(b)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (Bearer) RequireTransportSecurity() bool { return true }
