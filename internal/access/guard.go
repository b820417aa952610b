package access

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
)

// Guard lets calls through, or not.
type Guard struct {
	Plain  bool                              // there are no certificates: everybody may do everything
	Tokens func(id string) *lockstepv1.Token // finds a token; nil: none is taken
	Log    *slog.Logger

	meters meters
}

// Unary guards calls with one answer.
func (g *Guard) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, err := g.call(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

// Stream guards streams.
func (g *Guard) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, err := g.call(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return handle(srv, &called{stream, ctx})
}

// called is a stream whose context tells who has opened it.
type called struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *called) Context() context.Context { return s.ctx }

// call decides about a call, and returns its context with who makes it.
func (g *Guard) call(ctx context.Context, method string) (context.Context, error) {
	r := methods[method]
	if r.open || g.Plain {
		return ctx, nil
	}
	who, err := g.caller(ctx)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	switch err := g.judge(r, who, method); {
	case errors.Is(err, errTooMany):
		return nil, status.Error(codes.ResourceExhausted, err.Error())
	case err != nil:
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	return withCaller(ctx, who), nil
}

var errTooMany = fmt.Errorf("more than %d changes a second", perSecond)

// judge decides whether somebody may do something, and notes what people change.
func (g *Guard) judge(r rule, who certs.Identity, what string) error {
	if !r.allows(who) {
		g.Log.Warn("call refused", "call", what, "caller", who.String())
		return fmt.Errorf("%s may not call %s", who, what)
	}
	if !r.rated || who.Role == certs.Coordinator || who.Role == certs.Worker {
		return nil
	}
	if !g.meters.allow(who) {
		return fmt.Errorf("%s: %w", who, errTooMany)
	}
	g.Log.Info("call", "call", what, "caller", who.String())
	return nil
}

// caller is who makes a call: whose certificate was shown, or else whose token.
func (g *Guard) caller(ctx context.Context) (certs.Identity, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return certs.Identity{}, errNobody
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return certs.Identity{}, errNobody
	}
	md, _ := metadata.FromIncomingContext(ctx)
	return g.known(&info.State, md.Get("authorization"))
}

// known is the identity in a certificate that a peer has shown, or of its one bearer token.
func (g *Guard) known(state *tls.ConnectionState, authorization []string) (certs.Identity, error) {
	who, err := shown(state)
	if !errors.Is(err, errNobody) || len(authorization) != 1 {
		return who, err
	}
	text, ok := strings.CutPrefix(authorization[0], bearer)
	if !ok {
		return certs.Identity{}, errNobody
	}
	return g.holder(text)
}

var errNobody = errors.New("show a certificate (--tls-cert and --tls-key) or a token (--token)")

// shown is the identity in the certificate that a peer has shown.
func shown(state *tls.ConnectionState) (certs.Identity, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return certs.Identity{}, errNobody
	}
	return certs.IdentityOf(state.PeerCertificates[0])
}

// Worker refuses a connection that is not from a worker.
func (g *Guard) Worker(info credentials.AuthInfo) error {
	t, ok := info.(credentials.TLSInfo)
	if !ok {
		return errNobody
	}
	who, err := shown(&t.State)
	if err == nil && who.Role != certs.Worker {
		err = fmt.Errorf("%s is no worker", who)
	}
	return err
}

// HTTP guards a handler.
func (g *Guard) HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rule := ruleOf(r.Method, r.URL.Path)
		if rule.open || g.Plain {
			next.ServeHTTP(w, r)
			return
		}
		who, err := g.known(r.TLS, r.Header["Authorization"])
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="lockstep"`)
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		switch err := g.judge(rule, who, r.Method+" "+r.URL.Path); {
		case errors.Is(err, errTooMany):
			http.Error(w, err.Error(), http.StatusTooManyRequests)
		case err != nil:
			http.Error(w, err.Error(), http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
