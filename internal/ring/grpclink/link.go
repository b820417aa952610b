package grpclink

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"lockstep/internal/ring"
)

// Config describes a session: one member's part in one generation.
type Config struct {
	Job         string
	Generation  uint64
	Rank        int
	Peers       []string                         // addresses (host:port) in ring order, the own one included
	Credentials credentials.TransportCredentials // of the connections to peers; default: the server's
	DialOptions []grpc.DialOption                // behind those of DialOptions()
}

const (
	// noticeTime bounds how long a link that ends waits for its peers to take the notice,
	// before it cuts the streams.
	noticeTime = 40 * time.Millisecond

	// graceTime is how long one that finds a stream cut waits for the notice that says
	// why. It is what the detection of a dead process costs.
	graceTime = 20 * time.Millisecond
)

// Link is a session's end of all its streams. It implements ring.Link.
type Link struct {
	server *Server
	cfg    Config
	key    sessionKey
	in     []inbound
	out    []peerStream

	ctx    context.Context // of all streams
	cancel context.CancelFunc

	once    sync.Once
	done    chan struct{} // closed when the link has failed or ended
	err     error         // why; written before done is closed
	culprit int           // whom the peers are told to blame; likewise
	torn    chan struct{} // closed when everything is freed

	mu       sync.Mutex
	bound    <-chan struct{} // the Done channel of the ctx that ends this link; under mu
	stop     func() bool     // ends that; under mu
	stopOpen func() bool     // ends the watch on Open's ctx; under mu
	wg       sync.WaitGroup  // watchers
}

// Open announces a session and dials the successor. When ctx ends, so does the link. The
// caller closes the link in any case.
func (s *Server) Open(ctx context.Context, cfg Config) (*Link, error) {
	if cfg.Rank < 0 || cfg.Rank >= len(cfg.Peers) || len(cfg.Peers) >= 1<<15 {
		return nil, fmt.Errorf("open link: rank %d of %d peers", cfg.Rank, len(cfg.Peers))
	}
	if cfg.Credentials == nil {
		cfg.Credentials = s.security.Dial
	}
	l := &Link{
		server: s, cfg: cfg, key: sessionKey{cfg.Job, cfg.Generation, cfg.Rank},
		in: make([]inbound, len(cfg.Peers)), out: make([]peerStream, len(cfg.Peers)),
		done: make(chan struct{}), torn: make(chan struct{}),
	}
	for i := range l.in {
		l.in[i].ready, l.in[i].piped = make(chan struct{}), make(chan struct{})
	}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.add(l.key, l); err != nil {
		l.cancel()
		return nil, fmt.Errorf("open link: %w", err)
	}
	l.mu.Lock()
	l.stopOpen = context.AfterFunc(ctx, func() { l.fail(context.Cause(ctx), cfg.Rank) })
	l.mu.Unlock()
	if next := (cfg.Rank + 1) % len(cfg.Peers); next != cfg.Rank {
		if err := l.out[next].dial(l, next); err != nil {
			l.fail(&ring.LostError{Peer: next, Err: err}, next)
			l.Close()
			return nil, fmt.Errorf("open link: %w", l.err)
		}
	}
	return l, nil
}

// Send implements ring.Link.
func (l *Link) Send(ctx context.Context, to int, f *ring.Frame) error {
	l.bind(ctx)
	return l.out[to].send(l, to, f)
}

// TrySend implements ring.Link.
func (l *Link) TrySend(to int, f *ring.Frame) {
	l.out[to].trySend(l, to, f)
}

// Recv implements ring.Link.
func (l *Link) Recv(ctx context.Context, from int) (*ring.Frame, error) {
	l.bind(ctx)
	f, err := l.in[from].recv(l.done)
	if err != nil {
		return nil, l.broken(from, err)
	}
	return f, nil
}

// broken ends the link because a pipe or a stream did. A peer that ended for another
// member's sake says so at the same moment in another way: that is waited for.
func (l *Link) broken(peer int, err error) error {
	t := time.NewTimer(graceTime)
	defer t.Stop()
	select {
	case <-l.done:
	case <-t.C:
	}
	return l.fail(&ring.LostError{Peer: peer, Err: err}, peer)
}

// bind makes the end of ctx end the link. Operations of one generation share a ctx, so
// there is seldom anything to do.
func (l *Link) bind(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Done() == l.bound {
		return
	}
	if l.stop != nil {
		l.stop()
	}
	l.bound = ctx.Done()
	l.stop = context.AfterFunc(ctx, func() { l.fail(context.Cause(ctx), l.cfg.Rank) })
}

// serve keeps a peer's stream until it or the link ends.
func (l *Link) serve(from int, stream grpc.ServerStream) error {
	if from < 0 || from >= len(l.in) || from == l.cfg.Rank {
		l.server.counts.malformed.Add(1)
		return status.Errorf(codes.InvalidArgument, "no rank %d among %d peers", from, len(l.in))
	}
	p := &l.in[from]
	p.mu.Lock()
	if p.taken {
		p.mu.Unlock()
		l.server.counts.duplicate.Add(1)
		return status.Errorf(codes.AlreadyExists, "rank %d is connected already", from)
	}
	p.taken = true
	p.mu.Unlock()
	p.stream = stream
	header := l.server.issue(p)
	defer l.server.revoke(p)
	close(p.ready)
	if err := stream.SendHeader(header); err != nil {
		return err
	}
	select {
	case <-l.done:
	case <-stream.Context().Done():
		l.broken(from, stream.Context().Err())
	}
	stream.SetTrailer(culpritMetadata(l.culprit))
	return status.Error(codes.Aborted, l.err.Error())
}

// Abort implements ring.Link.
func (l *Link) Abort(culprit int) { l.fail(ring.ErrClosed, culprit) }

// Close implements ring.Link. When it returns, all that the link had is freed.
func (l *Link) Close() error {
	l.fail(ring.ErrClosed, l.cfg.Rank)
	<-l.torn
	return nil
}

// fail ends the link for its first error and returns that. culprit is the member that
// the peers shall blame; this one itself, if it just leaves.
func (l *Link) fail(err error, culprit int) error {
	l.once.Do(func() {
		l.err, l.culprit = err, culprit
		close(l.done) // ends the handlers, and with them Recv on streams
		for i := range l.in {
			l.in[i].close()
		}
		go l.tear()
	})
	<-l.done
	return l.err
}

// tear tells the peers that frames were sent to, ends the streams and frees them.
func (l *Link) tear() {
	defer close(l.torn)
	l.mu.Lock()
	for _, stop := range []func() bool{l.stopOpen, l.stop} {
		if stop != nil {
			stop()
		}
	}
	l.bound, l.stop = nil, func() bool { return true }
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.ctx, noticeTime)
	defer cancel()
	var wg sync.WaitGroup
	for i := range l.out {
		if i != l.culprit {
			wg.Go(func() { l.out[i].notify(ctx, l, i) })
		}
	}
	wg.Wait()
	l.cancel()
	for i := range l.out {
		l.out[i].close()
	}
	l.wg.Wait()
	l.server.remove(l.key, l.culprit)
}

// ended returns the error for a notice of the member from.
func ended(from, culprit int) error {
	if from == culprit {
		return &ring.LostError{Peer: from, Err: ring.ErrClosed}
	}
	return &ring.LostError{Peer: culprit, Err: fmt.Errorf("%w: rank %d", ring.ErrAborted, from)}
}

func culpritMetadata(rank int) metadata.MD {
	return metadata.Pairs(keyCulprit, fmt.Sprint(rank))
}

// lost returns the culprit and the error for the end of the stream to a peer.
func lost(to int, err error, trailer metadata.MD) (culprit int, _ error) {
	if culprit, ok := parseCulprit(trailer); ok && status.Code(err) == codes.Aborted {
		return culprit, ended(to, culprit)
	}
	return to, &ring.LostError{Peer: to, Err: err}
}
