package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
)

func (f *fake) CreateToken(_ context.Context, r *lockstepv1.CreateTokenRequest) (*lockstepv1.Token, error) {
	f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CreateToken{CreateToken: &lockstepv1.CreateToken{Token: r.Token}}})
	return f.token(r.Token.Id), nil
}

func (f *fake) RevokeToken(_ context.Context, r *lockstepv1.RevokeTokenRequest) (*lockstepv1.Token, error) {
	t := f.token(r.Token)
	f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_RevokeToken{RevokeToken: &lockstepv1.RevokeToken{Token: r.Token}}})
	return t, nil
}

func (f *fake) ListTokens(context.Context, *lockstepv1.ListTokensRequest) (*lockstepv1.ListTokensResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &lockstepv1.ListTokensResponse{Tokens: f.state.Tokens()}, nil
}

func (f *fake) token(id string) *lockstepv1.Token {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Token(id)
}

// TestToken: a secret is printed once, alone or with what is known of it.
func TestToken(t *testing.T) {
	f := emptyCluster(t)
	r := command(t, "token", "create", "ada", "--role", "user")
	r.want(t, 0, []string{"lockstep_"}, []string{"of user/ada; it is not shown again"})
	var made newToken
	r = command(t, "token", "create", "rack", "--role", "join", "--expires", "1", "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &made); err != nil || r.err != "" {
		t.Fatalf("%v: %+v", err, r)
	}
	if left := time.Until(made.Expires); !strings.HasPrefix(made.Token, "lockstep_"+made.ID+"_") || made.Created.IsZero() || left > day || left < day-time.Hour {
		t.Errorf("%+v", made)
	}
	command(t, "token", "list").want(t, 0, []string{made.ID, "rack", "ada"}, nil)
	command(t, "token", "revoke", made.ID, "-o", "name").wantOut(t, made.ID+"\n")
	if f.token(made.ID) != nil {
		t.Error("the token is still good")
	}
}

// secureCluster is one whose address and authority the environment knows.
func secureCluster(t *testing.T) *fake {
	t.Helper()
	noEnvironment(t)
	folder := certs.Folder{Dir: t.TempDir(), Validity: time.Hour}
	_, err := folder.Init("test")
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []certs.Identity{{Role: certs.Coordinator, Name: "c"}, {Role: certs.Admin, Name: "me"}} {
		if _, _, err := folder.Issue(who); err != nil {
			t.Fatal(err)
		}
	}
	file := func(who, name string) string { return filepath.Join(folder.Dir, who, name) }
	source, err := (&certs.Files{CA: file("c", certs.CAFile), Cert: file("c", certs.CertFile), Key: file("c", certs.KeyFile)}).Source(certs.Named)
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	f.options = []grpc.ServerOption{grpc.Creds(certs.ServerCredentials(source))}
	address, _ := f.serve()
	t.Setenv("LOCKSTEP_ADDR", address)
	t.Setenv("LOCKSTEP_TLS_CA", file("me", certs.CAFile))
	t.Setenv("LOCKSTEP_TLS_CERT", file("me", certs.CertFile))
	t.Setenv("LOCKSTEP_TLS_KEY", file("me", certs.KeyFile))
	return f
}

// TestTokenFolder: a folder has all that a worker needs; what is there and good stays, what the cluster does not know is
// replaced.
func TestTokenFolder(t *testing.T) {
	f := secureCluster(t)
	dir := filepath.Join(t.TempDir(), "join")
	create := func(want string) string {
		t.Helper()
		command(t, "token", "create", "workers", "--role", "join", "--expires", "0", "--dir", dir, "--keep").want(t, 0, nil, []string{want + " token"})
		text, err := os.ReadFile(filepath.Join(dir, tokenFile))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, tokenFile)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		return strings.TrimSpace(string(text))
	}
	first := create("made")
	if f.token(access.TokenID(first)) == nil {
		t.Errorf("the cluster does not know %s", first)
	}
	if err := os.Remove(filepath.Join(dir, certs.CAFile)); err != nil {
		t.Fatal(err)
	}
	if again := create("kept"); again != first {
		t.Errorf("%s became %s", first, again)
	}
	if _, err := certs.ReadPool(filepath.Join(dir, certs.CAFile)); err != nil {
		t.Error(err)
	}
	command(t, "token", "revoke", access.TokenID(first)).want(t, 0, nil, nil)
	if next := create("made"); next == first {
		t.Error("a revoked token was kept")
	}
	command(t, "token", "create", "x", "--keep").want(t, codeUsage, nil, []string{"--keep is for --dir"})
}
