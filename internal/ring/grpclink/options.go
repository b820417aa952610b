package grpclink

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"
)

const (
	// Both windows are fixed: with one of them alone the other stays at 64 KiB, and
	// gRPC's estimate of the bandwidth costs a ping for every few frames.
	streamWindow = 8 << 20
	connWindow   = 16 << 20

	// maxMessage bounds a frame, with room for the widest segment.
	maxMessage = 64 << 20

	// Buffers between HTTP/2 and the socket.
	writeBuffer = 128 << 10
	readBuffer  = 128 << 10

	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second
)

// buffers is shared by all connections, as gRPC's own pool would be.
var buffers bufferPool

// ServerOptions are for the gRPC server that a Server is registered on.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.WriteBufferSize(writeBuffer),
		grpc.ReadBufferSize(readBuffer),
		experimental.BufferPool(&buffers),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveTime / 2, PermitWithoutStream: true}),
	}
}

// DialOptions are for connections to such a server. They dial without TLS; credentials
// that are given behind them take their place.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithWriteBufferSize(writeBuffer),
		grpc.WithReadBufferSize(readBuffer),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		grpc.WithContextDialer(dial),
		experimental.WithBufferPool(&buffers),
		grpc.WithDisableRetry(), // it would keep copies of what was sent
		grpc.WithDisableServiceConfig(),
	}
}
