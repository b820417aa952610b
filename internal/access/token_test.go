package access

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
)

// guardOf is a guard that knows these tokens.
func guardOf(tokens ...*lockstepv1.Token) *Guard {
	return &Guard{Log: slog.New(slog.DiscardHandler), Tokens: func(id string) *lockstepv1.Token {
		for _, t := range tokens {
			if t.Id == id {
				return t
			}
		}
		return nil
	}}
}

func newToken(t testing.TB, role certs.Role, expires time.Time) (string, *lockstepv1.Token) {
	t.Helper()
	text, token, err := NewToken("n", role, expires)
	if err != nil {
		t.Fatal(err)
	}
	return text, token
}

func TestTokensOverHTTP(t *testing.T) {
	reader, r := newToken(t, certs.Reader, time.Time{})
	late, l := newToken(t, certs.Admin, time.Now().Add(-time.Second))
	worker, w := newToken(t, Join, time.Now().Add(time.Hour))
	unknown, _ := newToken(t, certs.Admin, time.Time{})
	h := guardOf(r, l, w).HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, c := range []struct {
		name, method, path, authorization string
		want                              int
	}{
		{"reads", "GET", "/api/v1/jobs", "Bearer " + reader, 200},
		{"changes", "POST", "/api/v1/jobs", "Bearer " + reader, 403},
		{"nothing", "GET", "/api/v1/jobs", "", 401},
		{"expired", "GET", "/api/v1/jobs", "Bearer " + late, 401},
		{"unknown", "GET", "/api/v1/jobs", "Bearer " + unknown, 401},
		{"another's secret", "GET", "/api/v1/jobs", "Bearer " + prefix + r.Id + unknown[len(prefix)+2*idLen:], 401},
		{"its hash", "GET", "/api/v1/jobs", "Bearer " + prefix + r.Id + "_" + "00", 401},
		{"join", "GET", "/api/v1/jobs", "Bearer " + worker, 403},
		{"basic", "GET", "/api/v1/jobs", "Basic " + reader, 401},
		{"health", "GET", "/healthz", "", 200},
		{"who", "GET", "/api/v1/whoami", "", 200},
	} {
		q := httptest.NewRequest(c.method, c.path, nil)
		if c.authorization != "" {
			q.Header.Set("Authorization", c.authorization)
		}
		out := httptest.NewRecorder()
		h.ServeHTTP(out, q)
		if out.Code != c.want {
			t.Errorf("%s: %d, want %d: %s", c.name, out.Code, c.want, out.Body)
		}
	}
}

// TestVisitor: a page learns whether it has to ask for a token, and what its reader may do, from what was shown alone.
func TestVisitor(t *testing.T) {
	reader, r := newToken(t, certs.Reader, time.Time{})
	user, u := newToken(t, certs.User, time.Time{})
	late, l := newToken(t, certs.Admin, time.Now().Add(-time.Second))
	worker, w := newToken(t, Join, time.Time{})
	guard := guardOf(r, u, l, w)
	for name, c := range map[string]struct {
		guard *Guard
		token string
		want  Visitor
	}{
		"nobody":  {guard, "", Visitor{Guarded: true}},
		"reader":  {guard, reader, Visitor{Guarded: true, Role: "reader", Name: "n", MayRead: true}},
		"user":    {guard, user, Visitor{Guarded: true, Role: "user", Name: "n", MayRead: true, MayChange: true}},
		"expired": {guard, late, Visitor{Guarded: true, Problem: errToken.Error()}},
		"join":    {guard, worker, Visitor{Guarded: true, Role: "join", Name: "n", Problem: "join/n may not see this page: that takes the role reader, user or admin"}},
		"plain":   {&Guard{Plain: true}, late, Visitor{MayRead: true, MayChange: true}},
	} {
		q := httptest.NewRequest("GET", "/api/v1/whoami", nil)
		if c.token != "" {
			q.Header.Set("Authorization", "Bearer "+c.token)
		}
		if got := c.guard.Visitor(q); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestChangesAreRated(t *testing.T) {
	user, u := newToken(t, certs.User, time.Time{})
	h := guardOf(u).HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	codes := map[int]int{}
	for range 50 * atOnce {
		q := httptest.NewRequest("POST", "/api/v1/jobs", nil)
		q.Header.Set("Authorization", "Bearer "+user)
		out := httptest.NewRecorder()
		h.ServeHTTP(out, q)
		codes[out.Code]++
	}
	if codes[200] < atOnce || codes[429] == 0 {
		t.Errorf("answers: %v", codes)
	}
}

func TestTokensAreNotKept(t *testing.T) {
	text, kept := newToken(t, certs.Admin, time.Time{})
	id, hash, ok := parseToken(text)
	if !ok || id != kept.Id || string(hash[:]) != string(kept.Sha256) {
		t.Fatalf("%v, %v", ok, kept)
	}
	if _, _, err := NewToken("n", certs.Worker, time.Time{}); err == nil {
		t.Error("a token can be a worker's")
	}
	if _, _, err := NewToken("n\n", certs.Admin, time.Time{}); err == nil {
		t.Error("a name can be anything")
	}
}

func FuzzParseToken(f *testing.F) {
	text, _ := newToken(f, certs.Reader, time.Time{})
	f.Add(text)
	f.Add("lockstep_")
	f.Fuzz(func(t *testing.T, s string) {
		if id, _, ok := parseToken(s); ok && len(id) != 2*idLen {
			t.Errorf("%q has id %q", s, id)
		}
	})
}
