package ringbench

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ring/grpclink"
)

// Transports are the ways that frames of a stand-alone member may take: what is best on this machine, a unix socket
// without shared memory, a TCP connection, messages of gRPC over TCP.
var Transports = []string{"memory", "unix", "tcp", "grpc"}

// Serve is a member by itself, on a free port of the loopback interface, until ctx ends. It calls ready with its
// address.
func Serve(ctx context.Context, transport string, ready func(address string)) error {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer lis.Close()
	links, opts := grpclink.NewServer(nil), grpclink.ServerOptions()
	if transport != "grpc" {
		opts = append(opts, grpc.Creds(links.Credentials(nil)))
	}
	if transport != "memory" {
		links.KeepApart()
	}
	s := grpc.NewServer(opts...)
	links.Register(s)
	lockstepv1.RegisterPeerServer(s, &peer{links: links})
	if transport == "memory" || transport == "unix" {
		local, err := grpclink.ListenLocal(lis.Addr().String())
		if err != nil {
			return fmt.Errorf("listen for members on this machine: %w", err)
		}
		go s.Serve(local)
	}
	defer context.AfterFunc(ctx, s.Stop)()
	ready(lis.Addr().String())
	return s.Serve(lis)
}

// peer offers what a stand-alone member is for.
type peer struct {
	lockstepv1.UnimplementedPeerServer
	links *grpclink.Server
}

// MeasureRing implements lockstepv1.PeerServer.
func (p *peer) MeasureRing(ctx context.Context, r *lockstepv1.MeasureRingRequest) (*lockstepv1.MeasureRingResponse, error) {
	out, err := Measure(ctx, p.links, r)
	if err != nil {
		return nil, status.Error(codes.Aborted, err.Error())
	}
	return out, nil
}
