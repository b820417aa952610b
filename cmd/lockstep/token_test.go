package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
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
