package event

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ServerConfig configures an embedded NATS server.
type ServerConfig struct {
	// Dir keeps the streams. It must not be shared with another server. Required.
	Dir string
	// Addr is the address to listen on, host:port; port 0 takes a free one. Required.
	Addr string
	// Log gets the server's own messages. Default: discarded.
	Log *slog.Logger
	// TLS encrypts connections. Default: plain.
	TLS *tls.Config
	// Writes says whether who has shown a certificate may publish and administer; the others only read. Required
	// with TLS.
	Writes func(*tls.ConnectionState) bool
	// StartTimeout bounds the start, which reads the streams. Default 30 s.
	StartTimeout time.Duration
}

// maxStore bounds what all streams of an embedded server may take on disk. It is a number of its own, since NATS would
// otherwise take a part of the free space of the moment and refuse a stream on a disk that is nearly full.
const maxStore = 1 << 30

// Server is a NATS server in this process: single, with JetStream, every stored message synced to disk. It installs no
// signal handlers and changes nothing that is global to the process.
type Server struct {
	nats *server.Server
	once sync.Once
}

// StartServer starts a server and returns when it accepts connections.
func StartServer(cfg ServerConfig) (*Server, error) {
	opts, err := serverOptions(cfg)
	if err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	n, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	log := &serverLog{log: cfg.Log}
	n.SetLoggerV2(log, false, false, false)
	n.Start()
	timeout := cfg.StartTimeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	if !ready(n, log, timeout) || !n.JetStreamEnabled() {
		n.Shutdown()
		n.WaitForShutdown()
		return nil, fmt.Errorf("start NATS server on %s: %w", cfg.Addr, log.cause())
	}
	return &Server{nats: n}, nil
}

// ready waits until n accepts connections, has failed, or timeout has passed.
func ready(n *server.Server, log *serverLog, timeout time.Duration) bool {
	for end := time.Now().Add(timeout); time.Now().Before(end) && !log.failed(); {
		if n.ReadyForConnections(50 * time.Millisecond) {
			return true
		}
	}
	return false
}

func serverOptions(cfg ServerConfig) (*server.Options, error) {
	if cfg.Dir == "" {
		return nil, errors.New("no store directory")
	}
	host, portText, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port of %s: %w", cfg.Addr, err)
	}
	opts := &server.Options{
		ServerName:             "lockstep",
		Host:                   host,
		Port:                   int(port),
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               cfg.Dir,
		SyncAlways:             true,
		JetStreamMaxMemory:     64 << 20,
		JetStreamMaxStore:      maxStore,
		DisableJetStreamBanner: true,
	}
	if cfg.TLS != nil {
		opts.TLS, opts.TLSConfig, opts.TLSVerify, opts.TLSTimeout = true, cfg.TLS, true, tlsTimeout.Seconds()
		opts.CustomClientAuthentication = authenticator(cfg.Writes)
	}
	if port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return opts, nil
}

// ClientURL returns the URL for clients.
func (s *Server) ClientURL() string { return s.nats.ClientURL() }

// Close stops the server and returns when its files are closed. Closing again does nothing.
func (s *Server) Close() error {
	s.once.Do(s.nats.Shutdown)
	s.nats.WaitForShutdown()
	return nil
}

// serverLog hands the server's messages on. A fatal one does not end the process: the start fails with it.
type serverLog struct {
	log *slog.Logger

	mu    sync.Mutex
	fatal error
}

func (l *serverLog) print(level slog.Level, format string, args []any) {
	if l.log != nil {
		l.log.Log(context.Background(), level, "nats: "+fmt.Sprintf(format, args...))
	}
}

func (l *serverLog) Noticef(format string, v ...any) { l.print(slog.LevelDebug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.print(slog.LevelWarn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.print(slog.LevelError, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.print(slog.LevelDebug, format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.print(slog.LevelDebug, format, v) }

func (l *serverLog) Fatalf(format string, v ...any) {
	l.print(slog.LevelError, format, v)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = fmt.Errorf(format, v...)
	}
}

func (l *serverLog) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal != nil
}

// cause returns the first fatal message.
func (l *serverLog) cause() error {
	if !l.failed() {
		return errors.New("it was not ready in time")
	}
	return l.fatal // it is not set again
}
