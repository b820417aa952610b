// Package client reaches a cluster through any of its coordinators. A call that finds its coordinator dead or
// without a leader goes to the next one, until its context ends: commands carry request ids, so a retry is harmless.
// Reads see the caller's own writes, whichever coordinator answers.
package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// MaxMessage bounds a message on the control plane: a checkpoint chunk and room around it, in bytes.
const MaxMessage = 16 << 20

// Client is a connection to a cluster. It is safe for concurrent use.
type Client struct {
	lockstepv1.JobsClient
	lockstepv1.WorkersClient
	lockstepv1.ChunksClient
	lockstepv1.ClusterClient
	lockstepv1.DatasetsClient
	lockstepv1.AccessClient
	conn *grpc.ClientConn
}

// Dial prepares a client of the coordinators at these addresses (host:port). It does not wait for any of them.
// Further options go before the usual ones: credentials, for a cluster that is not open to all.
func Dial(addresses []string, opts ...grpc.DialOption) (*Client, error) {
	if len(addresses) == 0 {
		return nil, errors.New("dial cluster: no coordinator's address is given")
	}
	c := &Client{}
	session := &session{}
	conn, err := grpc.NewClient("lockstep:///coordinators", append([]grpc.DialOption{
		grpc.WithResolvers(static(addresses)),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
		grpc.WithChainUnaryInterceptor(retry, session.unary),
		grpc.WithStreamInterceptor(session.stream),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("dial cluster: %w", err)
	}
	c.conn = conn
	c.JobsClient = lockstepv1.NewJobsClient(conn)
	c.WorkersClient = lockstepv1.NewWorkersClient(conn)
	c.ChunksClient = lockstepv1.NewChunksClient(conn)
	c.ClusterClient = lockstepv1.NewClusterClient(conn)
	c.DatasetsClient = lockstepv1.NewDatasetsClient(conn)
	c.AccessClient = lockstepv1.NewAccessClient(conn)
	return c, nil
}

// Close ends the client's calls.
func (c *Client) Close() error { return c.conn.Close() }

// static resolves to the given addresses, in an order of its own so that clients spread over the coordinators.
func static(addresses []string) resolver.Builder {
	r := manual.NewBuilderWithScheme("lockstep")
	var state resolver.State
	for _, i := range rand.Perm(len(addresses)) {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addresses[i]}}})
	}
	r.InitialState(state)
	return r
}

// retry repeats a call while coordinators are unavailable and the context allows.
func retry(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx = withRequest(ctx, method)
	for delay := 20 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		err := invoke(ctx, method, req, reply, cc, opts...)
		if status.Code(err) != codes.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(delay/2 + rand.N(delay)):
		}
	}
}
