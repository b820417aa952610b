package trainer

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"lockstep/internal/access"
	"lockstep/internal/certs"
)

const httpHeaderTimeout = 5 * time.Second

// openHTTP serves health, metrics and, if they are wanted, profiles. What it returns ends that.
func (w *Worker) openHTTP() (closeHTTP func(), err error) {
	if w.cfg.HTTP == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", w.cfg.HTTP)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprintln(out, "ok") })
	w.cfg.Telemetry.Mount(mux)
	guard := &access.Guard{Plain: w.cfg.TLS == nil, Log: w.log}
	s := &http.Server{Handler: guard.HTTP(mux), ReadHeaderTimeout: httpHeaderTimeout, MaxHeaderBytes: maxHeaders}
	serve := s.Serve
	if w.cfg.TLS != nil {
		s.TLSConfig = certs.Server(w.cfg.TLS)
		serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			w.log.Error("HTTP server ended", "error", err)
		}
	}()
	return func() {
		s.Close() // a scrape under way is not worth a wait
		<-done
	}, nil
}
