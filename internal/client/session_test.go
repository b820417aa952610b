package client

import (
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// assigner is a coordinator at index 7 that notes what its clients have seen.
type assigner struct {
	lockstepv1.UnimplementedWorkersServer
	seen []uint64
}

func (a *assigner) WatchAssignment(_ *lockstepv1.WatchAssignmentRequest, stream grpc.ServerStreamingServer[lockstepv1.Assignment]) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	a.seen = append(a.seen, Index(md))
	return stream.Send(&lockstepv1.Assignment{Index: 7})
}

// TestWhatAStreamSaidIsSeen: whoever is asked next must know it.
func TestWhatAStreamSaidIsSeen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, s := &assigner{}, grpc.NewServer()
	lockstepv1.RegisterWorkersServer(s, a)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	c, err := Dial([]string{l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		stream, err := c.WatchAssignment(t.Context(), &lockstepv1.WatchAssignmentRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err = stream.Recv(); err == nil {
			t.Fatal("the stream goes on")
		}
	}
	if a.seen[0] != 0 || a.seen[1] != 7 {
		t.Errorf("the client had seen %v, want [0 7]", a.seen)
	}
}
