package access

import (
	"context"

	"google.golang.org/grpc/metadata"

	"lockstep/internal/certs"
)

type callerKey struct{}

// passedKey is the gRPC metadata key of who has made a call that a coordinator passes on.
const passedKey = "lockstep-caller"

// withCaller notes who makes a call. A coordinator is taken at its word that it is somebody else's; nobody else is.
func withCaller(ctx context.Context, who certs.Identity) context.Context {
	if md, _ := metadata.FromIncomingContext(ctx); who.Role == certs.Coordinator && len(md.Get(passedKey)) == 1 {
		if other, err := certs.ParseIdentity(md.Get(passedKey)[0]); err == nil {
			who = other
		}
	}
	return context.WithValue(ctx, callerKey{}, who)
}

// Caller is who makes a call, at first hand; false if nobody was asked, for want of certificates.
func Caller(ctx context.Context) (certs.Identity, bool) {
	who, ok := ctx.Value(callerKey{}).(certs.Identity)
	return who, ok
}

// PassOn makes an outgoing request tell who has made the incoming one that it serves.
func PassOn(ctx context.Context) context.Context {
	if who, ok := Caller(ctx); ok {
		return metadata.AppendToOutgoingContext(ctx, passedKey, who.String())
	}
	return ctx
}
