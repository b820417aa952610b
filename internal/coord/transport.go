package coord

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/raft"

	"lockstep/internal/certs"
)

// raftStream carries raft over TCP. Raft's configuration holds names; they are looked up in the bootstrap list, and
// the hosts there resolved, at every dial: addresses of containers change.
type raftStream struct {
	net.Listener
	advertise string
	tls       *tls.Config // of connections to others; nil: plain
}

// newRaftStream takes over a listener.
func newRaftStream(l net.Listener, cfg *Config) raftStream {
	if cfg.TLS == nil {
		return raftStream{Listener: l, advertise: cfg.RaftAdvertise}
	}
	return raftStream{certs.Listener(l, certs.Server(cfg.TLS, certs.Coordinator)), cfg.RaftAdvertise, certs.Client(cfg.TLS, certs.Coordinator)}
}

func (s raftStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if s.tls == nil {
		return net.DialTimeout("tcp", string(address), timeout)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return certs.Dial(ctx, string(address), s.tls)
}

// Addr is the address that the others know.
func (s raftStream) Addr() net.Addr { return namedAddr(s.advertise) }

type namedAddr string

func (namedAddr) Network() string  { return "tcp" }
func (a namedAddr) String() string { return string(a) }

// addressBook finds the current address of a server by its name.
type addressBook []Server

func (b addressBook) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	for _, s := range b {
		if s.ID == string(id) {
			return raft.ServerAddress(s.Address), nil
		}
	}
	return "", fmt.Errorf("coordinator %q is not in the bootstrap list", id)
}
