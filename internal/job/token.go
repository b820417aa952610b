package job

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// maxTokens bounds how many tokens there are.
const maxTokens = 10000

// Token returns a token by id, or nil.
func (s *State) Token(id string) *lockstepv1.Token { return s.tokens[id] }

// Tokens returns all tokens, sorted by id.
func (s *State) Tokens() []*lockstepv1.Token { return sorted(s.tokens) }

// createToken takes a token. The same one again is no other.
func (a *applying) createToken(c *lockstepv1.CreateToken) {
	a.result.Id = c.Token.Id
	if old := a.tokens[c.Token.Id]; old != nil {
		if !bytes.Equal(old.Sha256, c.Token.Sha256) {
			a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "there is another token %s", c.Token.Id)
		}
		return
	}
	for id, t := range a.tokens { // which ones are over does not depend on the order
		if t.ExpiresMs != 0 && t.ExpiresMs <= a.now {
			delete(a.tokens, id)
		}
	}
	if len(a.tokens) >= maxTokens {
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "there are %d tokens already", len(a.tokens))
		return
	}
	t := proto.CloneOf(c.Token)
	t.CreatedMs = a.now
	a.tokens[t.Id] = t
}

func (a *applying) revokeToken(c *lockstepv1.RevokeToken) {
	if a.tokens[c.Token] == nil {
		a.refuse(lockstepv1.Refusal_REFUSAL_NOT_FOUND, "there is no token %q", c.Token)
		return
	}
	a.result.Id = c.Token
	delete(a.tokens, c.Token)
}

// validToken checks what every replica relies on.
func validToken(t *lockstepv1.Token) bool {
	const longest = 64
	return t.GetId() != "" && t.Name != "" && t.Role != "" && len(t.Id) <= longest && len(t.Name) <= longest && len(t.Role) <= longest && len(t.Sha256) == 32
}
