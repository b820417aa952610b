package access

import (
	"errors"
	"fmt"
	"net/http"
)

// Visitor is who reads the page, and what it may do there.
type Visitor struct {
	Guarded   bool   `json:"guarded"`           // a certificate or a token is asked for
	Role      string `json:"role,omitempty"`    // empty: nobody is known
	Name      string `json:"name,omitempty"`    //
	MayRead   bool   `json:"may_read"`          // jobs and the cluster
	MayChange bool   `json:"may_change"`        // submit jobs, and change them
	Problem   string `json:"problem,omitempty"` // with what was shown; empty if nothing was
}

// Visitor tells who makes a request, of anybody: a page asks before it asks for a token.
func (g *Guard) Visitor(r *http.Request) Visitor {
	if g.Plain {
		return Visitor{MayRead: true, MayChange: true}
	}
	who, err := g.known(r.TLS, r.Header["Authorization"])
	switch {
	case errors.Is(err, errNobody):
		return Visitor{Guarded: true}
	case err != nil:
		return Visitor{Guarded: true, Problem: err.Error()}
	}
	v := Visitor{Guarded: true, Role: string(who.Role), Name: who.Name,
		MayRead: ruleOf(http.MethodGet, jobsPath).allows(who), MayChange: ruleOf(http.MethodPost, jobsPath).allows(who)}
	if !v.MayRead {
		v.Problem = fmt.Sprintf("%s may not see this page: that takes the role reader, user or admin", who)
	}
	return v
}
