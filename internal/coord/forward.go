package coord

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/client"
	"lockstep/internal/job"
)

// forwardedKey marks a request that has had its one hop.
const forwardedKey = "lockstep-forwarded"

// answeredHere are the unary methods that every coordinator answers from its own copy. All others go to the leader.
var answeredHere = map[string]bool{
	lockstepv1.Workers_ListWorkers_FullMethodName:   true,
	lockstepv1.Chunks_PutChunk_FullMethodName:       true,
	lockstepv1.Chunks_GetChunk_FullMethodName:       true,
	lockstepv1.Chunks_HasChunks_FullMethodName:      true,
	lockstepv1.Cluster_GetStatus_FullMethodName:     true,
	lockstepv1.Cluster_GetLogs_FullMethodName:       true,
	lockstepv1.Datasets_GetDataset_FullMethodName:   true,
	lockstepv1.Datasets_ListDatasets_FullMethodName: true,
	"/grpc.health.v1.Health/Check":                  true,
	"/grpc.health.v1.Health/List":                   true,
	lockstepv1.Access_Enroll_FullMethodName:         true,
}

// linearizable are the reads that show every change that was answered before they were asked: the leader makes sure
// that it leads before it answers them.
var linearizable = map[string]bool{lockstepv1.Jobs_GetJob_FullMethodName: true, lockstepv1.Jobs_ListJobs_FullMethodName: true,
	lockstepv1.Access_ListTokens_FullMethodName: true}

// forward passes a request to the leader in one hop, if it is for the leader and this replica is not it. The leader has
// all that any client has seen; a replica that answers itself waits until it has, and a sign of life waits for nothing.
func (n *Node) forward(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if answeredHere[info.FullMethod] {
		if err := n.waitSeen(ctx); err != nil {
			return nil, err
		}
		return handle(ctx, req)
	}
	if n.lead.Load() != nil {
		if err := n.speaksFor(ctx, req); err != nil {
			return nil, err
		}
		return n.answerAsLeader(ctx, req, info, handle)
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if len(md.Get(forwardedKey)) > 0 {
		return nil, status.Errorf(codes.Unavailable, "coordinator %s does not lead (any more)", n.cfg.ID)
	}
	conn, err := n.peers.leader()
	if err != nil {
		return nil, err
	}
	reply, err := newReply(info.FullMethod)
	if err != nil {
		return nil, err
	}
	var header metadata.MD
	err = conn.Invoke(metadata.AppendToOutgoingContext(access.PassOn(client.PassOn(ctx)), forwardedKey, "1"), info.FullMethod, req, reply, grpc.Header(&header))
	if i := client.Index(header); i > 0 {
		setIndex(ctx, i)
	}
	return reply, err
}

// answerAsLeader makes sure that this replica leads, before a read that has to be linearizable, and before it says that
// something does not exist: it may be cut off, and another may lead.
func (n *Node) answerAsLeader(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if linearizable[info.FullMethod] {
		if err := n.raft.VerifyLeader().Error(); err != nil {
			return nil, unavailable(err)
		}
		return handle(ctx, req)
	}
	reply, err := handle(ctx, req)
	if status.Code(err) == codes.NotFound {
		if err := n.raft.VerifyLeader().Error(); err != nil {
			return nil, unavailable(err)
		}
	}
	return reply, err
}

// newReply makes an empty reply of a method.
func newReply(fullMethod string) (proto.Message, error) {
	service, method, _ := strings.Cut(strings.TrimPrefix(fullMethod, "/"), "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, fmt.Errorf("forward %s: %w", fullMethod, err)
	}
	m := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(method))
	t, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("forward %s: %w", fullMethod, err)
	}
	return t.New().Interface(), nil
}

// peers are the connections to the other coordinators.
type peers struct {
	n     *Node
	mu    sync.Mutex
	conns map[string]*grpc.ClientConn // by address; under mu
}

func newPeers(n *Node) *peers { return &peers{n: n, conns: map[string]*grpc.ClientConn{}} }

// leader returns the connection to the leader.
func (p *peers) leader() (*grpc.ClientConn, error) {
	_, id := p.n.raft.LeaderWithID()
	if id == "" || id == raft.ServerID(p.n.cfg.ID) {
		return nil, status.Error(codes.Unavailable, "the cluster has no leader at present")
	}
	return p.to(string(id))
}

// to returns the connection to a coordinator.
func (p *peers) to(id string) (*grpc.ClientConn, error) {
	var c *lockstepv1.Coordinator
	p.n.fsm.read(func(s *job.State) { c = s.Coordinator(id) })
	if c == nil {
		return nil, status.Errorf(codes.Unavailable, "the address of coordinator %s is not known yet", id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if conn := p.conns[c.Address]; conn != nil {
		return conn, nil
	}
	conn, err := grpc.NewClient(c.Address, append(p.n.cfg.Telemetry.DialOptions(), grpc.WithTransportCredentials(certs.ClientCredentials(p.n.cfg.TLS, certs.Coordinator)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: fastBackoff, MinConnectTimeout: 2 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(client.MaxMessage), grpc.MaxCallSendMsgSize(client.MaxMessage)))...)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "dial coordinator %s: %v", id, err)
	}
	p.conns[c.Address] = conn
	return conn, nil
}

// others returns the ids of the other coordinators.
func (p *peers) others() []string {
	var ids []string
	for _, s := range p.n.cfg.Bootstrap {
		if s.ID != p.n.cfg.ID {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// Close ends all connections.
func (p *peers) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}
