package client

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// IndexKey is the gRPC metadata key of a raft index: in a reply, that of the command just applied; in a request, the
// one that the answering coordinator must have applied first.
const IndexKey = "lockstep-index"

// requestKey is the gRPC metadata key of a request's id, the same however often the request is sent: what it asks for
// is done once.
const requestKey = "lockstep-request"

// withRequest gives a request for jobs an id.
func withRequest(ctx context.Context, method string) context.Context {
	if !strings.HasPrefix(method, "/"+lockstepv1.Jobs_ServiceDesc.ServiceName+"/") {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, requestKey, rand.Text())
}

// Request reads a request's id from metadata; "" if there is none.
func Request(md metadata.MD) string {
	if v := md.Get(requestKey); len(v) > 0 {
		return v[0]
	}
	return ""
}

// PassOn makes an outgoing request one with the id of the incoming one that it serves.
func PassOn(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	if id := Request(md); id != "" {
		return metadata.AppendToOutgoingContext(ctx, requestKey, id)
	}
	return ctx
}

// session remembers the highest index that the client has seen, so that it reads what it wrote, and never what is older
// than what it has read.
type session struct{ index atomic.Uint64 }

func (s *session) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	var header metadata.MD
	err := invoke(s.outgoing(ctx), method, req, reply, cc, append(opts, grpc.Header(&header))...)
	s.see(Index(header))
	return err
}

func (s *session) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	c, err := open(s.outgoing(ctx), desc, cc, method, opts...)
	if err != nil {
		return nil, err
	}
	return &seeing{c, s}, nil
}

// seeing is a stream whose messages may tell of which index they are.
type seeing struct {
	grpc.ClientStream
	session *session
}

func (c *seeing) RecvMsg(m any) error {
	err := c.ClientStream.RecvMsg(m)
	if i, ok := m.(interface{ GetIndex() uint64 }); ok && err == nil {
		c.session.see(i.GetIndex())
	}
	return err
}

func (s *session) outgoing(ctx context.Context) context.Context {
	if i := s.index.Load(); i > 0 {
		return metadata.AppendToOutgoingContext(ctx, IndexKey, strconv.FormatUint(i, 10))
	}
	return ctx
}

func (s *session) see(index uint64) {
	for old := s.index.Load(); index > old; old = s.index.Load() {
		if s.index.CompareAndSwap(old, index) {
			return
		}
	}
}

// Index reads the index from metadata; 0 if there is none.
func Index(md metadata.MD) uint64 {
	v := md.Get(IndexKey)
	if len(v) == 0 {
		return 0
	}
	i, err := strconv.ParseUint(v[0], 10, 64)
	if err != nil {
		return 0
	}
	return i
}
