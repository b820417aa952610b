package grpclink

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// openWait is how long a stream waits for its session to be opened.
const openWait = 30 * time.Second

// maxWaiting bounds the streams that wait.
const maxWaiting = 1024

// The methods, as their callers see them.
var (
	passDesc = grpc.StreamDesc{StreamName: "Pass", ClientStreams: true, ServerStreams: true}
	endDesc  = grpc.StreamDesc{StreamName: "End", ServerStreams: true}
)

// description is that of the service, without generated code.
func (s *Server) description() *grpc.ServiceDesc {
	pass, end := passDesc, endDesc
	pass.Handler = func(_ any, stream grpc.ServerStream) error { return s.pass(stream) }
	end.Handler = func(_ any, stream grpc.ServerStream) error { return s.end(stream) }
	return &grpc.ServiceDesc{
		ServiceName: "lockstep.v1.Ring",
		HandlerType: (*any)(nil),
		Streams:     []grpc.StreamDesc{pass, end},
	}
}

const (
	passMethod = "/lockstep.v1.Ring/Pass"
	endMethod  = "/lockstep.v1.Ring/End"
)

// Server takes the streams of other members and gives them to the sessions that are
// open in this process.
type Server struct {
	log      *slog.Logger
	openWait time.Duration

	mu       sync.Mutex
	sessions map[sessionKey]*Link // under mu
	newest   map[string]*newest   // by job; under mu
	opened   chan struct{}        // closed and replaced when a session opens; under mu
	waiting  int                  // under mu
	tickets  map[ticket]*inbound  // for pipes that have not come yet; under mu
	pipes    atomic.Bool          // connections pass through Credentials
	apart    atomic.Bool          // no memory is shared with peers

	security Security // set before the server is used

	counts refusals
}

// newest is the highest generation of a job that was opened here, and whom the sessions of
// it that have ended blamed, by rank.
type newest struct {
	generation uint64
	ended      map[int]int
}

type sessionKey struct {
	job        string
	generation uint64
	rank       int
}

// Refused counts streams that were turned away, by reason.
type Refused struct {
	Malformed uint64 // metadata that makes no sense
	Stale     uint64 // of a generation that is over
	Duplicate uint64 // a second stream of one member
	Unclaimed uint64 // nobody opened the session in time
}

type refusals struct{ malformed, stale, duplicate, unclaimed atomic.Uint64 }

// NewServer returns a server without sessions. log may be nil.
func NewServer(log *slog.Logger) *Server {
	return &Server{
		log:      cmp.Or(log, slog.New(slog.DiscardHandler)),
		openWait: openWait,
		sessions: map[sessionKey]*Link{},
		newest:   map[string]*newest{},
		tickets:  map[ticket]*inbound{},
		opened:   make(chan struct{}),
	}
}

// Security is how members know one another. The zero value: connections are plain, and anybody is a member.
type Security struct {
	Dial, Serve credentials.TransportCredentials // of connections to and from peers
	Admits      func(credentials.AuthInfo) error // refuses a peer; gRPC's own interceptors do so for streams
}

// Secure is called before the server is used; Credentials then takes Serve.
func (s *Server) Secure(how Security) { s.security = how }

// Security is what Secure was given.
func (s *Server) Security() Security { return s.security }

// KeepApart makes sessions that are opened from now on share no memory with peers on the same host.
func (s *Server) KeepApart() { s.apart.Store(true) }

// Register adds the service to a gRPC server, which should have ServerOptions.
func (s *Server) Register(r grpc.ServiceRegistrar) { r.RegisterService(s.description(), s) }

// Refused returns the present counts.
func (s *Server) Refused() Refused {
	c := &s.counts
	return Refused{c.malformed.Load(), c.stale.Load(), c.duplicate.Load(), c.unclaimed.Load()}
}

// add announces a link. It fails for a session that is open already or stale.
func (s *Server) add(k sessionKey, l *Link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[k] != nil {
		return fmt.Errorf("rank %d of generation %d is open already", k.rank, k.generation)
	}
	n := s.newest[k.job]
	switch {
	case n == nil || k.generation > n.generation:
		s.newest[k.job] = &newest{generation: k.generation, ended: map[int]int{}}
	case k.generation < n.generation:
		return fmt.Errorf("generation %d is over, %d has begun", k.generation, n.generation)
	}
	s.sessions[k] = l
	close(s.opened)
	s.opened = make(chan struct{})
	return nil
}

func (s *Server) remove(k sessionKey, culprit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, k)
	if n := s.newest[k.job]; n != nil && n.generation == k.generation {
		n.ended[k.rank] = culprit
	}
}

// Metadata keys.
const (
	keyJob        = "lockstep-job"
	keyGeneration = "lockstep-generation"
	keyFrom       = "lockstep-from"
	keyTo         = "lockstep-to"
	keyCulprit    = "lockstep-culprit"
)

// pass is the handler: it finds the session and stays until the stream or it ends.
func (s *Server) pass(stream grpc.ServerStream) error {
	k, from, err := parseMetadata(stream.Context())
	if err != nil {
		s.counts.malformed.Add(1)
		s.log.Warn("stream refused", "error", err)
		return status.Error(codes.InvalidArgument, err.Error())
	}
	l, err := s.await(stream, k)
	if err != nil {
		s.log.Warn("stream refused", "job", k.job, "generation", k.generation, "peer", from, "error", err)
		return err
	}
	return l.serve(from, stream)
}

// end is the handler of the notice that a member has ended its link.
func (s *Server) end(stream grpc.ServerStream) error {
	k, from, err := parseMetadata(stream.Context())
	md, _ := metadata.FromIncomingContext(stream.Context())
	culprit, ok := parseCulprit(md)
	if err != nil || !ok {
		s.counts.malformed.Add(1)
		return status.Error(codes.InvalidArgument, "metadata make no sense")
	}
	s.mu.Lock()
	l := s.sessions[k]
	s.mu.Unlock()
	if l != nil && from < len(l.in) && culprit < len(l.in) {
		l.fail(ended(from, culprit), culprit)
	}
	return nil
}

// await returns the session of a stream as soon as it is open.
func (s *Server) await(stream grpc.ServerStream, k sessionKey) (*Link, error) {
	ctx := stream.Context()
	s.mu.Lock()
	defer s.mu.Unlock()
	timer := time.NewTimer(s.openWait)
	defer timer.Stop()
	if s.waiting == maxWaiting {
		s.counts.unclaimed.Add(1)
		return nil, status.Error(codes.ResourceExhausted, "too many streams wait for their session")
	}
	s.waiting++
	defer func() { s.waiting-- }()
	for {
		if l := s.sessions[k]; l != nil {
			return l, nil
		}
		if n := s.newest[k.job]; n != nil && k.generation <= n.generation {
			if culprit, ok := n.ended[k.rank]; ok && k.generation == n.generation {
				stream.SetTrailer(culpritMetadata(culprit))
				return nil, status.Error(codes.Aborted, "the session has ended")
			}
			s.counts.stale.Add(1)
			return nil, status.Errorf(codes.FailedPrecondition, "generation %d is not for rank %d here; the newest is %d", k.generation, k.rank, n.generation)
		}
		opened := s.opened
		s.mu.Unlock()
		var err error
		select {
		case <-opened:
		case <-ctx.Done():
			err = status.FromContextError(ctx.Err()).Err()
		case <-timer.C:
			s.counts.unclaimed.Add(1)
			err = status.Errorf(codes.DeadlineExceeded, "generation %d was not opened within %v", k.generation, s.openWait)
		}
		s.mu.Lock()
		if err != nil {
			return nil, err
		}
	}
}

// parseMetadata returns the session that a stream is for, and who sends.
func parseMetadata(ctx context.Context) (k sessionKey, from int, err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	one := func(key string) string {
		if v := md.Get(key); len(v) == 1 {
			return v[0]
		}
		err = cmp.Or(err, fmt.Errorf("metadata %s is missing or ambiguous", key))
		return ""
	}
	number := func(key string, bits int) uint64 {
		v := one(key)
		n, e := strconv.ParseUint(v, 10, bits)
		if e != nil {
			err = cmp.Or(err, fmt.Errorf("metadata %s: %w", key, e))
		}
		return n
	}
	k = sessionKey{job: one(keyJob), generation: number(keyGeneration, 64), rank: int(number(keyTo, 15))}
	return k, int(number(keyFrom, 15)), err
}

func outgoingMetadata(k sessionKey, to int) metadata.MD {
	return metadata.Pairs(keyJob, k.job, keyGeneration, strconv.FormatUint(k.generation, 10),
		keyFrom, strconv.Itoa(k.rank), keyTo, strconv.Itoa(to))
}

func parseCulprit(md metadata.MD) (rank int, ok bool) {
	v := md.Get(keyCulprit)
	if len(v) != 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(v[0], 10, 15)
	return int(n), err == nil
}
