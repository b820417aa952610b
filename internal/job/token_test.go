package job

import (
	"bytes"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

func TestTokens(t *testing.T) {
	s, index := New(), uint64(0)
	apply := func(now int64, c *lockstepv1.Command) *lockstepv1.Result {
		t.Helper()
		if err := Validate(c); err != nil {
			t.Fatal(err)
		}
		index++
		c.NowMs = now
		return s.Apply(index, c)
	}
	create := func(id string, hash byte, expires int64) *lockstepv1.Command {
		return &lockstepv1.Command{Op: &lockstepv1.Command_CreateToken{CreateToken: &lockstepv1.CreateToken{Token: &lockstepv1.Token{
			Id: id, Name: "n", Role: "user", Sha256: bytes.Repeat([]byte{hash}, 32), ExpiresMs: expires}}}}
	}
	apply(10, create("a", 1, 100))
	if r := apply(11, create("a", 1, 100)); r.Refusal != 0 || s.Token("a").CreatedMs != 10 {
		t.Errorf("the same again: %v, %v", r, s.Token("a"))
	}
	if r := apply(12, create("a", 2, 0)); r.Refusal != lockstepv1.Refusal_REFUSAL_CONFLICT {
		t.Errorf("another of the same id: %v", r)
	}
	apply(101, create("b", 3, 0))
	if s.Token("a") != nil || s.Token("b") == nil {
		t.Errorf("tokens after one is over: %v", s.Tokens())
	}
	var b bytes.Buffer
	if err := s.WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	if again, err := ReadSnapshot(&b); err != nil || again.Token("b").GetRole() != "user" {
		t.Errorf("from a snapshot: %v, %v", again, err)
	}
	revoke := &lockstepv1.Command{Op: &lockstepv1.Command_RevokeToken{RevokeToken: &lockstepv1.RevokeToken{Token: "b"}}}
	if r := apply(102, revoke); r.Refusal != 0 || s.Token("b") != nil {
		t.Errorf("revoked: %v, %v", r, s.Tokens())
	}
	if r := apply(103, revoke); r.Refusal != lockstepv1.Refusal_REFUSAL_NOT_FOUND {
		t.Errorf("revoked again: %v", r)
	}
	bad := create("c", 1, 0)
	bad.GetCreateToken().Token.Sha256 = []byte("secret")
	if Validate(bad) == nil {
		t.Error("a token that is not hashed is taken")
	}
}
