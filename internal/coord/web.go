package coord

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"lockstep/internal/certs"
)

// webServer answers over HTTP: health, the page, the state as JSON, and with certificates gRPC too.
type webServer struct {
	server *http.Server
}

const (
	webHeaderTimeout = 5 * time.Second
	webCloseTimeout  = 2 * time.Second
	webIdleTimeout   = 2 * time.Minute
)

func (n *Node) openWeb() (*webServer, error) {
	l, err := listen(n.cfg.HTTPListener, n.cfg.HTTP)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	w := &webServer{server: &http.Server{Handler: n.withGRPC(n.guard.HTTP(n.routes())), ReadHeaderTimeout: webHeaderTimeout,
		IdleTimeout: webIdleTimeout, MaxHeaderBytes: maxHeaders, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug)}}
	serve := w.server.Serve
	if n.cfg.TLS != nil {
		w.server.TLSConfig = certs.Server(n.cfg.TLS)
		serve = func(l net.Listener) error { return w.server.ServeTLS(l, "", "") }
	}
	n.start(func() {
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.fail(err)
		}
	})
	return w, nil
}

// withGRPC gives calls of gRPC to the gRPC server, so that one port is enough for the page and the command line. They pass
// the guard there, with the certificate that this connection has shown. Without TLS there is no HTTP/2, so no gRPC.
func (n *Node) withGRPC(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			n.grpc.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Close ends the server.
func (w *webServer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), webCloseTimeout)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		return w.server.Close()
	}
	return nil
}
