package coord

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/job"
)

type accessServer struct {
	lockstepv1.UnimplementedAccessServer
	*Node
}

// newGuard decides who may call what.
func (n *Node) newGuard() *access.Guard {
	return &access.Guard{Plain: n.cfg.TLS == nil, Log: n.log, Tokens: func(id string) (t *lockstepv1.Token) {
		n.fsm.read(func(s *job.State) { t = s.Token(id) })
		return t
	}}
}

// CreateToken keeps a token that its owner has made.
func (s *accessServer) CreateToken(ctx context.Context, r *lockstepv1.CreateTokenRequest) (*lockstepv1.Token, error) {
	switch {
	case s.cfg.TLS == nil:
		return nil, status.Error(codes.FailedPrecondition, "this cluster is open to everybody: tokens need coordinators with --tls-ca, --tls-cert and --tls-key")
	case !slices.Contains(access.TokenRoles, certs.Role(r.Token.GetRole())):
		return nil, status.Errorf(codes.InvalidArgument, "role %q: want one of %v", r.Token.GetRole(), access.TokenRoles)
	}
	res, err := s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_CreateToken{CreateToken: &lockstepv1.CreateToken{Token: r.Token}}})
	if err != nil {
		return nil, err
	}
	return s.shown(res.Id)
}

// ListTokens lists the tokens.
func (s *accessServer) ListTokens(context.Context, *lockstepv1.ListTokensRequest) (*lockstepv1.ListTokensResponse, error) {
	out := &lockstepv1.ListTokensResponse{}
	s.fsm.read(func(st *job.State) {
		for _, t := range st.Tokens() {
			out.Tokens = append(out.Tokens, withoutHash(t))
		}
	})
	return out, nil
}

// RevokeToken makes a token void on every coordinator that has applied it.
func (s *accessServer) RevokeToken(ctx context.Context, r *lockstepv1.RevokeTokenRequest) (*lockstepv1.Token, error) {
	t, err := s.shown(r.Token)
	if err != nil {
		return nil, err
	}
	_, err = s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_RevokeToken{RevokeToken: &lockstepv1.RevokeToken{Token: r.Token}}})
	return t, err
}

func (s *accessServer) shown(id string) (*lockstepv1.Token, error) {
	var t *lockstepv1.Token
	s.fsm.read(func(st *job.State) { t = st.Token(id) })
	if t == nil {
		return nil, status.Errorf(codes.NotFound, "there is no token %q", id)
	}
	return withoutHash(t), nil
}

func withoutHash(t *lockstepv1.Token) *lockstepv1.Token {
	t = proto.CloneOf(t)
	t.Sha256 = nil
	return t
}

// enrolledFor is how long a worker's certificate lasts that it got with a token. Workers ask again at half of it.
const enrolledFor = 24 * time.Hour

// Enroll gives who has shown a join token a worker's certificate.
func (s *accessServer) Enroll(_ context.Context, r *lockstepv1.EnrollRequest) (*lockstepv1.EnrollResponse, error) {
	if s.cfg.CA == nil {
		return nil, status.Errorf(codes.FailedPrecondition, "coordinator %s cannot issue certificates: it was started without --tls-ca-key", s.cfg.ID)
	}
	name, err := enrolledName(r)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	c, err := s.cfg.CA.SignRequest(r.Request, certs.Identity{Role: certs.Worker, Name: name}, enrolledFor)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.log.Info("worker enrolled", "name", name, "until", c.NotAfter)
	return &lockstepv1.EnrollResponse{Certificate: c.Raw}, nil
}

// What a name in an enrolled certificate is made of.
const (
	keyLetters  = 24 // of the key's digest
	nameLetters = 36 // of what the worker calls itself
)

// enrolledName is what a worker calls itself, and a digest of its key: whoever else has a join token cannot take its name.
func enrolledName(r *lockstepv1.EnrollRequest) (string, error) {
	request, err := x509.ParseCertificateRequest(r.Request)
	if err != nil {
		return "", fmt.Errorf("certificate request: %w", err)
	}
	name := r.Name[:min(len(r.Name), nameLetters)]
	if _, err := certs.ParseIdentity(string(certs.Worker) + "/" + name); err != nil {
		name = "worker"
	}
	sum := sha256.Sum256(request.RawSubjectPublicKeyInfo)
	return name + "." + hex.EncodeToString(sum[:])[:keyLetters], nil
}
