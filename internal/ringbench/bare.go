package ringbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"unsafe"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/credentials"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/kernel"
	"lockstep/internal/ring/grpclink"
)

// bare is the yardstick: a ring of float32 over TCP connections, in segments that are sent while others come in,
// without headers, checks or deadlines.
type bare struct {
	rank, world int
	to, from    net.Conn
	buf         []float32
	ready       chan []float32 // segments for the sender
	sent        chan error     // of a reduction's sender
}

const bareSegment = 32 << 10 // values

// connectBare listens, tells the others the port through the ring, and connects with both neighbours.
func connectBare(ctx context.Context, m *member, r *lockstepv1.MeasureRingRequest) (*bare, error) {
	rank, world := int(r.Rank), len(r.Peers)
	host, _, err := net.SplitHostPort(r.Peers[rank])
	if err != nil {
		return nil, err
	}
	lis, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	defer lis.Close()
	defer context.AfterFunc(ctx, func() { lis.Close() })()
	ports := make([]int64, world)
	ports[rank] = int64(lis.Addr().(*net.TCPAddr).Port)
	if err := m.ring.AllReduceInt64(ctx, m.next(), ports); err != nil {
		return nil, err
	}
	next := (rank + 1) % world
	if host, _, err = net.SplitHostPort(r.Peers[next]); err != nil {
		return nil, err
	}
	b := &bare{rank: rank, world: world, buf: make([]float32, bareSegment), sent: make(chan error, 1)}
	var d net.Dialer
	if b.to, err = d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.FormatInt(ports[next], 10))); err != nil {
		return nil, err
	}
	if b.from, err = lis.Accept(); err != nil {
		return nil, errors.Join(err, b.to.Close())
	}
	if err := b.secure(ctx, m.security, r.Peers[next]); err != nil {
		b.close()
		return nil, err
	}
	context.AfterFunc(ctx, b.close) // ends what waits; the caller's ctx ends with its call
	return b, nil
}

// secure encrypts both connections, if the ring's are: then the yardstick is a ring over TLS. Both handshakes run at
// once, since the neighbours wait for one another.
func (b *bare) secure(ctx context.Context, how grpclink.Security, next string) error {
	if how.Dial == nil {
		return nil
	}
	var g errgroup.Group
	g.Go(func() (err error) { b.to, _, err = how.Dial.ClientHandshake(ctx, next, b.to); return err })
	g.Go(func() (err error) {
		var info credentials.AuthInfo
		if b.from, info, err = how.Serve.ServerHandshake(b.from); err == nil {
			err = how.Admits(info)
		}
		return err
	})
	return g.Wait()
}

func (b *bare) close() {
	b.to.Close()
	b.from.Close()
}

// reduce sets x to the sum of all members' x.
func (b *bare) reduce(x []float32) error {
	chunk := func(i int) []float32 {
		i = (i%b.world + b.world) % b.world
		return x[len(x)*i/b.world : len(x)*(i+1)/b.world]
	}
	b.ready = make(chan []float32, 2*b.world+2*len(x)/bareSegment) // room for all
	go func() { b.sent <- b.send() }()
	each(chunk(b.rank), func(s []float32) error { b.ready <- s; return nil })
	err := b.receive(chunk)
	close(b.ready)
	return errors.Join(err, <-b.sent)
}

// receive takes each round's chunk: first to add, then to keep.
func (b *bare) receive(chunk func(int) []float32) error {
	last := 2*(b.world-1) - 1
	for round := range last + 1 {
		err := each(chunk(b.rank-round-1), func(s []float32) error {
			into := s
			if round < b.world-1 {
				into = b.buf[:len(s)]
			}
			if _, err := io.ReadFull(b.from, bytesOf(into)); err != nil {
				return fmt.Errorf("receive: %w", err)
			}
			if round < b.world-1 {
				kernel.Add(s, s, into)
			}
			if round < last {
				b.ready <- s
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bare) send() error {
	for s := range b.ready {
		if _, err := b.to.Write(bytesOf(s)); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

func each(x []float32, do func([]float32) error) error {
	for len(x) > 0 {
		n := min(bareSegment, len(x))
		if err := do(x[:n]); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

// bytesOf returns the memory of x.
func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}
