package grpclink

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// A pipe's first bytes: pipeMagic, the ticket, and whether a shared region comes with it.
// gRPC's own connections begin with the HTTP/2 preface, "PRI * HT".
const (
	pipeMagic     = "LOCKRING"
	ticketLen     = 16
	withoutRegion = 0
	withRegion    = 1
)

// ticket is the right to send frames to one session as one member. It is given out on
// the stream of that member.
type ticket [ticketLen]byte

const keyTicket = "lockstep-ticket"

// Credentials returns server credentials that take pipes out of gRPC's hands once base
// has done its handshake, and leave everything else as it is. base nil means Security's, and without that no TLS.
func (s *Server) Credentials(base credentials.TransportCredentials) credentials.TransportCredentials {
	if base == nil {
		base = s.security.Serve
	}
	if base == nil {
		base = insecure.NewCredentials()
	}
	s.pipes.Store(true)
	return &dispatcher{TransportCredentials: base, server: s}
}

type dispatcher struct {
	credentials.TransportCredentials
	server *Server
}

func (d *dispatcher) Clone() credentials.TransportCredentials {
	return &dispatcher{TransportCredentials: d.TransportCredentials.Clone(), server: d.server}
}

// secured reports whether credentials authenticate.
func secured(c credentials.TransportCredentials) bool {
	return c != nil && c.Info().SecurityProtocol == "tls"
}

// ServerHandshake implements credentials.TransportCredentials. Where peers authenticate, a pipe over a unix socket has no
// handshake of its own: its bytes do not leave the kernel, and its ticket was given to a peer that did authenticate.
func (d *dispatcher) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	safe := secured(d.TransportCredentials)
	if _, local := raw.(*net.UnixConn); local && safe {
		first, err := firstBytes(raw)
		if err != nil || string(first) == pipeMagic {
			return d.pipe(raw, err)
		}
		raw = &replayed{Conn: raw, first: first}
	}
	conn, info, err := d.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return conn, info, err
	}
	first, err := firstBytes(conn)
	if err != nil || string(first) == pipeMagic {
		if admits := d.server.security.Admits; err == nil && admits != nil {
			err = admits(info)
		}
		return d.pipe(conn, err)
	}
	return &replayed{Conn: conn, first: first}, info, nil
}

func firstBytes(conn net.Conn) ([]byte, error) {
	first := make([]byte, len(pipeMagic))
	if _, err := io.ReadFull(conn, first); err != nil {
		return nil, fmt.Errorf("read first bytes: %w", err)
	}
	return first, nil
}

// pipe takes a connection that has begun as a pipe, unless err is not nil.
func (d *dispatcher) pipe(conn net.Conn, err error) (net.Conn, credentials.AuthInfo, error) {
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	var t ticket
	if _, err := io.ReadFull(conn, t[:]); err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("read ticket: %w", err)
	}
	if err := d.server.admit(t, conn); err != nil {
		d.server.counts.malformed.Add(1)
		conn.Close()
		return nil, nil, fmt.Errorf("pipe from %v: %w", conn.RemoteAddr(), err)
	}
	return nil, nil, credentials.ErrConnDispatched
}

// replayed is a connection whose first bytes were read already.
type replayed struct {
	net.Conn
	first []byte
}

func (c *replayed) Read(b []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(b, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// issue returns the header of a stream: with a ticket for its pipe, if pipes reach this
// server at all.
func (s *Server) issue(p *inbound) metadata.MD {
	if !s.pipes.Load() {
		return nil
	}
	var t ticket
	rand.Read(t[:])
	p.offered = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tickets[t] = p
	p.ticket = t
	return metadata.Pairs(keyTicket, hex.EncodeToString(t[:]))
}

// admit hands a pipe to the stream that its ticket was given out on. A ticket is good
// for one pipe.
func (s *Server) admit(t ticket, conn net.Conn) error {
	s.mu.Lock()
	p := s.tickets[t]
	delete(s.tickets, t)
	s.mu.Unlock()
	if p == nil {
		return errNoTicket
	}
	shared, err := acceptRegion(conn, !s.apart.Load())
	if err != nil {
		return err
	}
	return p.attach(conn, shared)
}

var errNoTicket = errors.New("no such ticket")

// revoke makes a ticket void.
func (s *Server) revoke(p *inbound) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tickets, p.ticket)
}

// presentTicket turns a fresh connection into a pipe, with a shared region if memory is true
// and both sides can have one.
func presentTicket(ctx context.Context, conn net.Conn, base credentials.TransportCredentials, address, ticket string, memory bool) (net.Conn, *region, error) {
	t, err := hex.DecodeString(ticket)
	if err != nil || len(t) != ticketLen {
		return nil, nil, fmt.Errorf("ticket %q is malformed", ticket)
	}
	if _, local := conn.(*net.UnixConn); base != nil && !(local && secured(base)) {
		if conn, _, err = base.Clone().ClientHandshake(ctx, address, conn); err != nil {
			return nil, nil, fmt.Errorf("handshake: %w", err)
		}
	}
	if _, err = conn.Write(append([]byte(pipeMagic), t...)); err != nil {
		return nil, nil, err
	}
	shared, err := offerRegion(ctx, conn, memory)
	return conn, shared, err
}

// offerRegion offers a peer on the same host a shared region. It returns nil if there can be none: then frames go
// through the pipe itself.
func offerRegion(ctx context.Context, conn net.Conn, memory bool) (*region, error) {
	u, ok := conn.(*net.UnixConn)
	if ok && memory {
		if shared, err := shareRegion(u); err == nil {
			return confirmed(ctx, conn, shared)
		}
	}
	_, err := conn.Write([]byte{withoutRegion})
	return nil, err
}

// confirmed waits for the peer's word on whether it could map the region too.
func confirmed(ctx context.Context, conn net.Conn, shared *region) (*region, error) {
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })()
	var b [1]byte
	_, err := io.ReadFull(conn, b[:])
	if err != nil || b[0] != withRegion {
		shared.drop()
		return nil, err
	}
	return shared, nil
}

// acceptRegion reads what comes behind the ticket and answers an offered region.
func acceptRegion(conn net.Conn, memory bool) (*region, error) {
	var b [1]byte
	u, ok := conn.(*net.UnixConn)
	if !ok {
		if _, err := io.ReadFull(conn, b[:]); err != nil || b[0] != withoutRegion {
			return nil, fmt.Errorf("byte behind the ticket is %d: %w", b[0], cmp.Or(err, errNoTicket))
		}
		return nil, nil
	}
	fd, offered, err := receiveDescriptor(u)
	if err != nil || !offered {
		return nil, err
	}
	answer, shared := byte(withoutRegion), (*region)(nil)
	if memory {
		if shared, err = mapRegion(u, fd); err == nil {
			answer = withRegion
		}
	}
	closeDescriptor(fd)
	if _, err = conn.Write([]byte{answer}); err != nil && shared != nil {
		shared.drop()
	}
	return shared, err
}
