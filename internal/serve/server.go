package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"lockstep/internal/infer"
)

// version is the one that every model has.
const version = "1"

// Config says how a model is served.
type Config struct {
	Model    *infer.Model
	Workers  int           // batches that are computed at the same time
	Batch    int           // records in a batch, at most
	Wait     time.Duration // that a batch waits for more records
	Queue    int           // requests that may wait
	Records  int           // of a request, at most
	Body     int64         // bytes of a request, at most
	Deadline time.Duration // of a request, from when it is read
	Drain    time.Duration // for requests under way when the server ends
	Door     *Door         // who may come in, and how; nil: everybody, over plain HTTP
	Log      *slog.Logger
}

// Server serves one model.
type Server struct {
	cfg     Config
	batch   *batcher
	metrics *metrics
	mux     *http.ServeMux
	ending  atomic.Bool
}

// New starts the workers of a server; Close ends them.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, metrics: newMetrics(), mux: http.NewServeMux()}
	s.batch = newBatcher(cfg.Model, cfg.Workers, cfg.Batch, cfg.Queue, cfg.Wait, s.metrics.batch)
	s.mux.HandleFunc("GET /v2", s.server)
	s.mux.HandleFunc("GET /v2/health/live", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, map[string]bool{"live": true}) })
	s.mux.HandleFunc("GET /v2/health/ready", s.ready)
	for _, model := range []string{"/v2/models/{name}", "/v2/models/{name}/versions/{version}"} {
		s.mux.HandleFunc("GET "+model, s.named(s.model))
		s.mux.HandleFunc("GET "+model+"/ready", s.named(s.ready))
		s.mux.HandleFunc("POST "+model+"/infer", s.named(s.infer))
	}
	s.mux.Handle("GET /metrics", s.metrics.handler())
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, fmt.Errorf("there is no %s %s", r.Method, r.URL.Path))
	})
	return s
}

// Handler answers requests.
func (s *Server) Handler() http.Handler { return s.metrics.observe(s.cfg.Door.guard(s.mux)) }

// Close ends the workers. Closing twice is safe.
func (s *Server) Close() { s.batch.close() }

// Run serves on l until ctx ends, then lets requests under way finish.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: time.Minute + s.cfg.Deadline, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 1 << 16,
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn)}
	serve := srv.Serve
	if srv.TLSConfig = s.cfg.Door.config(); srv.TLSConfig != nil {
		serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.ending.Store(true)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Drain)
	defer cancel()
	err := srv.Shutdown(end)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were under way: %w", err), srv.Close())
	}
	<-ended
	s.Close()
	return err
}

// named checks the model's name and version.
func (s *Server) named(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, v := r.PathValue("name"), r.PathValue("version")
		if name != s.cfg.Model.Name || v != "" && v != version {
			fail(w, http.StatusNotFound, fmt.Errorf("there is no model %q of version %q, only %q of version %q", name, v, s.cfg.Model.Name, version))
			return
		}
		next(w, r)
	}
}

func (s *Server) server(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"name": "lockstep", "version": version, "extensions": []string{}})
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	code := http.StatusOK
	if s.ending.Load() {
		code = http.StatusServiceUnavailable
	}
	reply(w, code, map[string]any{"name": r.PathValue("name"), "ready": code == http.StatusOK})
}

// about describes an array of the model.
type about struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

func (s *Server) model(w http.ResponseWriter, _ *http.Request) {
	m := s.cfg.Model
	var inputs []about
	for _, c := range m.Data.Columns {
		kind := "FP64"
		if c.Type == "category" {
			kind = "BYTES"
		}
		inputs = append(inputs, about{c.Name, kind, append([]int{-1}, c.Shape...)})
	}
	if inputs == nil {
		kind := "FP32"
		if m.Data.Integer {
			kind = "INT64"
		}
		inputs = []about{{"input", kind, append([]int{-1}, m.InputShape()...)}}
	}
	outputs := []about{{"output", "FP32", append([]int{-1}, m.OutputShape()...)}}
	if m.Decides() {
		outputs = append(outputs, about{"class", "BYTES", []int{-1}}, about{"probability", "FP64", []int{-1}})
	}
	reply(w, http.StatusOK, map[string]any{"name": m.Name, "versions": []string{version}, "platform": "lockstep", "inputs": inputs, "outputs": outputs})
}

func (s *Server) infer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.Body))
	if err != nil {
		code := http.StatusBadRequest
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			code, err = http.StatusRequestEntityTooLarge, fmt.Errorf("request: more than %d bytes", large.Limit)
		}
		fail(w, code, err)
		return
	}
	req, records, err := decode(s.cfg.Model, body, s.cfg.Records)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), s.cfg.Deadline, errLate)
	defer cancel()
	predictions, err := s.batch.predict(ctx, records)
	switch {
	case err == nil:
		reply(w, http.StatusOK, respond(s.cfg.Model, req, predictions))
	case errors.Is(err, errBusy), errors.Is(err, errClosed):
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, err)
	case errors.Is(err, errLate):
		fail(w, http.StatusGatewayTimeout, err)
	default:
		fail(w, http.StatusInternalServerError, err)
	}
}

var errLate = errors.New("the deadline of the request has passed")

func fail(w http.ResponseWriter, code int, err error) {
	reply(w, code, map[string]string{"error": err.Error()})
}

// reply writes a JSON value. That the client is gone is not our affair.
func reply(w http.ResponseWriter, code int, v any) {
	text, err := json.Marshal(v)
	if err != nil { // an output that is not finite has no JSON form
		code, text = http.StatusInternalServerError, []byte(`{"error":"the model's output is not finite"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(text, '\n'))
}
