package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// preface is how a client of HTTP/2 begins (RFC 9113): a line, and an empty SETTINGS frame.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// answerTimeout bounds the wait for a first word. Who is silent may be slow: nothing follows from it.
const answerTimeout = 2 * time.Second

// Mismatch says what is wrong between a client that shows source, nil for plain connections, and the gRPC server that it
// has connected to: that one of them speaks TLS and the other does not, or that the server is not of the authority that is
// trusted. It is nil if nothing is known to be wrong. It uses the connection up.
func Mismatch(ctx context.Context, conn net.Conn, source Source) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if source != nil {
		return encrypted(tls.Client(conn, Client(source, Coordinator)).HandshakeContext(ctx), conn.RemoteAddr())
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	first := make([]byte, len("HTTP"))
	_, err := io.WriteString(conn, preface)
	if err == nil {
		_, err = io.ReadFull(conn, first)
	}
	switch {
	case err == nil && bytes.Equal(first, []byte("HTTP")):
		return fmt.Errorf("%s answers in HTTP/1: want the coordinator's gRPC address, --listen, not that of its page", conn.RemoteAddr())
	case err != nil && ctx.Err() == nil && speaksTLS(ctx, conn.RemoteAddr()): // it has hung up
		return fmt.Errorf("%s speaks TLS: say with --%s (LOCKSTEP_TLS_CA) whom to trust, or use a context that does", conn.RemoteAddr(), FlagCA)
	}
	return nil
}

// speaksTLS reports whether somebody ends a handshake well, whoever that is.
func speaksTLS(ctx context.Context, at net.Addr) bool {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // nothing is said to it
	conn, err := d.DialContext(ctx, at.Network(), at.String())
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// encrypted explains how a handshake ended.
func encrypted(err error, at net.Addr) error {
	var other tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &other):
		return fmt.Errorf("%s does not speak TLS: leave out --%s (LOCKSTEP_TLS_CA), or use a context without it", at, FlagCA)
	case errors.As(err, &unknown):
		return fmt.Errorf("%s is not of the authority in --%s (LOCKSTEP_TLS_CA): %w", at, FlagCA, err)
	}
	return nil
}
