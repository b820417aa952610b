package coord

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
	"lockstep/internal/client"
)

// Limits on what a connection may ask for at once.
const (
	maxStreams       = 1000
	maxHeaders       = 16 << 10
	handshakeTimeout = 10 * time.Second
)

// newServer makes the gRPC server with all services.
func (n *Node) newServer() *grpc.Server {
	s := grpc.NewServer(append(n.cfg.Telemetry.ServerOptions(),
		grpc.Creds(certs.ServerCredentials(n.cfg.TLS)),
		grpc.MaxConcurrentStreams(maxStreams), grpc.MaxHeaderListSize(maxHeaders), grpc.ConnectionTimeout(handshakeTimeout),
		grpc.MaxRecvMsgSize(client.MaxMessage), grpc.MaxSendMsgSize(client.MaxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.ChainUnaryInterceptor(n.rpc.Unary, n.guard.Unary, n.countRefusals, n.forward),
		grpc.ChainStreamInterceptor(n.rpc.Stream, n.guard.Stream, n.catchUpStream),
	)...)
	lockstepv1.RegisterJobsServer(s, &jobsServer{Node: n})
	lockstepv1.RegisterWorkersServer(s, &workersServer{Node: n})
	lockstepv1.RegisterChunksServer(s, &chunksServer{Node: n})
	lockstepv1.RegisterDatasetsServer(s, &datasetsServer{Node: n})
	lockstepv1.RegisterClusterServer(s, &clusterServer{Node: n})
	lockstepv1.RegisterAccessServer(s, &accessServer{Node: n})
	h := health.NewServer()
	h.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(s, h)
	reflection.Register(s)
	return s
}

// countRefusals counts the requests that were turned away for what they are: nothing of them has taken effect.
func (n *Node) countRefusals(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	reply, err := handle(ctx, req)
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Aborted, codes.FailedPrecondition, codes.NotFound:
		n.refused.Add(1)
	}
	return reply, err
}

// catchUpStream makes a stream wait until this replica has applied what its client has seen.
func (n *Node) catchUpStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := n.waitSeen(stream.Context()); err != nil {
		return err
	}
	return handle(srv, stream)
}

// catchUpLimit bounds the wait; a replica that is further behind sends its client elsewhere.
const catchUpLimit = 2 * time.Second

// waitSeen waits until this replica has applied what a request's client has seen.
func (n *Node) waitSeen(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	index := client.Index(md)
	if index == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpLimit)
	defer cancel()
	return n.waitApplied(ctx, index)
}

// meetLeader waits until this replica has applied what the leader had when asked: what it says then holds all that its
// reader has heard of from any coordinator.
func (n *Node) meetLeader(ctx context.Context) error {
	if n.lead.Load() != nil {
		return nil
	}
	conn, err := n.peers.leader()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpLimit)
	defer cancel()
	r, err := lockstepv1.NewClusterClient(conn).GetStatus(ctx, &lockstepv1.GetStatusRequest{Local: true})
	if err != nil {
		return status.Errorf(codes.Unavailable, "the leader does not answer: %v", err)
	}
	return n.waitApplied(ctx, r.AppliedIndex)
}

// waitApplied waits until this replica has applied an index.
func (n *Node) waitApplied(ctx context.Context, index uint64) error {
	if err := n.fsm.waitIndex(ctx, index); err != nil {
		return status.Errorf(codes.Unavailable, "coordinator %s is behind: it has not applied %d", n.cfg.ID, index)
	}
	return nil
}

// setIndex tells the caller the index of what it changed.
func setIndex(ctx context.Context, index uint64) {
	// Outside of a request, as in the leader's own loop, there is nobody to tell.
	_ = grpc.SetHeader(ctx, metadata.Pairs(client.IndexKey, strconv.FormatUint(index, 10)))
}
