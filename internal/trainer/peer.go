package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/ring/grpclink"
	"lockstep/internal/ringbench"
)

// statePiece is how many bytes of an encoded state go into one message.
const statePiece = 256 << 10

// peerServer is what a worker offers the other members and the leader.
type peerServer struct {
	lockstepv1.UnimplementedPeerServer
	w *Worker
}

func (s *peerServer) Ping(context.Context, *lockstepv1.PingRequest) (*lockstepv1.PingResponse, error) {
	return &lockstepv1.PingResponse{Worker: s.w.id}, nil
}

// FetchState sends a copy of this worker's state, if it stands where the caller wants it: it does, as long as their
// generation lasts, since the next step needs the caller.
func (s *peerServer) FetchState(r *lockstepv1.FetchStateRequest, stream grpc.ServerStreamingServer[lockstepv1.FetchStateResponse]) error {
	t := s.w.taskOf(r.Job)
	if t == nil {
		return status.Errorf(codes.NotFound, "worker %s does not work on job %s", s.w.id, r.Job)
	}
	state := t.snapshot(r.Position)
	if state == nil {
		return status.Errorf(codes.FailedPrecondition, "worker %s is not at position %d of job %s", s.w.id, r.Position, r.Job)
	}
	body, err := ckpt.NewReader(state)
	if err != nil {
		return status.Errorf(codes.Internal, "encode state: %v", err)
	}
	for buf := make([]byte, statePiece); ; {
		n, err := body.Read(buf)
		if n > 0 {
			if err := stream.Send(&lockstepv1.FetchStateResponse{Data: buf[:n]}); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return status.Errorf(codes.Internal, "encode state: %v", err)
		}
	}
}

// MeasureRing takes part in measuring the all-reduce while this worker has no job.
func (s *peerServer) MeasureRing(ctx context.Context, r *lockstepv1.MeasureRingRequest) (*lockstepv1.MeasureRingResponse, error) {
	ctx, done, err := s.w.idle(ctx)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	defer done()
	out, err := ringbench.Measure(ctx, s.w.links, r)
	if err != nil {
		return nil, status.Error(codes.Aborted, err.Error())
	}
	return out, nil
}

// fetchState copies the state of another member.
func (w *Worker) fetchState(ctx context.Context, address string, r *lockstepv1.FetchStateRequest) (*ckpt.State, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, append(grpclink.DialOptions(), grpc.WithTransportCredentials(w.peers()))...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := lockstepv1.NewPeerClient(conn).FetchState(ctx, r)
	if err != nil {
		return nil, err
	}
	s, err := ckpt.Decode(&pieces{stream: stream})
	if err != nil {
		return nil, fmt.Errorf("copy state from %s: %w", address, err)
	}
	return s, nil
}

// pieces reads the messages of a stream as bytes.
type pieces struct {
	stream grpc.ServerStreamingClient[lockstepv1.FetchStateResponse]
	left   []byte
}

func (p *pieces) Read(b []byte) (int, error) {
	for len(p.left) == 0 {
		m, err := p.stream.Recv()
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		p.left = m.Data
	}
	n := copy(b, p.left)
	p.left = p.left[n:]
	return n, nil
}
