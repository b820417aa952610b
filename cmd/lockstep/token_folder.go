package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/client"
)

// tokenFolder is where a token is kept for who needs it, with the authority to know the cluster by:
//
//	DIR/token  DIR/ca.pem
type tokenFolder struct {
	dir  string // "": there is none
	keep bool   // a token that is there and good
}

const tokenFile = "token"

// kept is the token that is there, if the cluster knows it as what is wanted; nil if there is none.
func (f tokenFolder) kept(ctx context.Context, c *client.Client, want *lockstepv1.Token) (text string, t *lockstepv1.Token, err error) {
	if !f.keep {
		return "", nil, nil
	}
	data, err := os.ReadFile(filepath.Join(f.dir, tokenFile))
	if err != nil {
		return "", nil, ignoreMissing(err)
	}
	text = strings.TrimSpace(string(data))
	r, err := c.ListTokens(ctx, &lockstepv1.ListTokensRequest{})
	if err != nil {
		return "", nil, answer(err)
	}
	for _, t := range r.Tokens {
		if t.Id == access.TokenID(text) && t.Name == want.Name && t.Role == want.Role && (t.ExpiresMs == 0 || time.Now().UnixMilli() < t.ExpiresMs) {
			return text, t, nil
		}
	}
	return "", nil, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// saveToken writes a folder. The token is the last: whoever waits for it finds the authority.
func (a *app) saveToken(f tokenFolder, t *lockstepv1.Token, text, done string) error {
	to, err := a.target()
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(to.CA)
	if err == nil {
		err = os.MkdirAll(f.dir, 0o700)
	}
	if err != nil {
		return err
	}
	for _, file := range []struct{ name, text string }{{certs.CAFile, string(ca)}, {tokenFile, text + "\n"}} {
		err := a.writeTo(filepath.Join(f.dir, file.name), 0o600, func(w io.Writer) error {
			_, err := io.WriteString(w, file.text)
			return err
		})
		if err != nil {
			return err
		}
	}
	return a.done(tokenViewOf(t), t.Id, done+" token %s of %s/%s: %s", t.Id, t.Role, t.Name, f.dir)
}
