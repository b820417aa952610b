package coord

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
	"lockstep/internal/web"
)

// routes are the pages and the JSON of a coordinator. What changes something may only be asked for by its own pages
// and by programs, not by another site's page in somebody's browser.
func (n *Node) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", n.serveReady)
	mux.HandleFunc("GET /api/v1/whoami", func(w http.ResponseWriter, r *http.Request) { n.writeJSON(w, n.guard.Visitor(r)) })
	mux.HandleFunc("GET /api/v1/jobs", n.serveJobs)
	mux.HandleFunc("GET /api/v1/jobs/{job}", n.ofJob(func(j *lockstepv1.Job, _ *http.Request) any { return job.DetailOf(j) }))
	mux.HandleFunc("GET /api/v1/jobs/{job}/metrics", n.ofJob(func(j *lockstepv1.Job, _ *http.Request) any {
		return job.SeriesViewOf(n.series(j.Id))
	}))
	mux.HandleFunc("GET /api/v1/jobs/{job}/events", n.ofJob(n.eventsOf))
	mux.HandleFunc("GET /api/v1/workers", n.serveWorkers)
	mux.HandleFunc("GET /api/v1/cluster", func(w http.ResponseWriter, _ *http.Request) { n.writeJSON(w, job.ClusterViewOf(n.status())) })
	mux.HandleFunc("GET /api/v1/changes", n.serveChanges)
	n.changeRoutes(mux)
	n.cfg.Telemetry.Mount(mux)
	mux.Handle("GET /", web.Page())
	return http.NewCrossOriginProtection().Handler(mux)
}

func (n *Node) serveReady(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*") // so that the page of a coordinator that died finds another
	if err := n.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (n *Node) serveJobs(w http.ResponseWriter, _ *http.Request) {
	out := []job.View{}
	n.fsm.read(func(s *job.State) {
		for _, j := range s.Jobs() {
			out = append(out, job.ViewOf(j))
		}
	})
	n.writeJSON(w, out)
}

func (n *Node) serveWorkers(w http.ResponseWriter, r *http.Request) {
	list, err := (&workersServer{Node: n}).ListWorkers(r.Context(), &lockstepv1.ListWorkersRequest{})
	if err != nil {
		httpError(w, err)
		return
	}
	out := []job.WorkerView{}
	for _, x := range list.Workers {
		out = append(out, job.WorkerViewOf(x))
	}
	n.writeJSON(w, out)
}

// ofJob answers with something of the job in the path.
func (n *Node) ofJob(view func(*lockstepv1.Job, *http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		j, err := n.find(r.PathValue("job"))
		if err != nil {
			httpError(w, err)
			return
		}
		n.writeJSON(w, view(j, r))
	}
}

// eventView is an event as the page reads it.
type eventView struct {
	Sequence uint64          `json:"sequence"`
	TimeMs   int64           `json:"time_ms"`
	Type     string          `json:"type"`
	Data     json.RawMessage `json:"data"`
}

// eventsOf is a job's events after the sequence number in ?after.
func (n *Node) eventsOf(j *lockstepv1.Job, r *http.Request) any {
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64) // all of them in doubt
	out := []eventView{}
	n.fsm.read(func(s *job.State) {
		for _, e := range s.EventsAfter(after) {
			if e.Job == j.Id {
				out = append(out, eventView{Sequence: e.Sequence, TimeMs: e.TimeMs, Type: e.Type, Data: e.Data})
			}
		}
	})
	return out
}

// changesEvery is the shortest time between two notices of a change.
const changesEvery = 500 * time.Millisecond

// serveChanges is a stream of server-sent events: the raft index, now and after the state has changed.
func (n *Node) serveChanges(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for {
		var index uint64
		changed := n.fsm.read(func(s *job.State) { index = s.Index() })
		fmt.Fprintf(w, "data: %d\n\n", index)
		if out.Flush() != nil {
			return
		}
		pause := time.NewTimer(changesEvery)
		select {
		case <-pause.C:
		case <-r.Context().Done():
			return
		case <-n.ctx.Done():
			return
		}
		if n.wait(r.Context(), changed) != nil {
			return
		}
	}
}

// httpError answers with the status that fits an error of gRPC.
func httpError(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	switch status.Code(err) {
	case codes.NotFound:
		code = http.StatusNotFound
	case codes.InvalidArgument:
		code = http.StatusBadRequest
	case codes.FailedPrecondition, codes.Aborted, codes.AlreadyExists:
		code = http.StatusConflict
	case codes.Unavailable, codes.DeadlineExceeded:
		code = http.StatusServiceUnavailable
	}
	http.Error(w, status.Convert(err).Message(), code)
}

// writeJSON answers with a JSON document: what the command line shows with -o json.
func (n *Node) writeJSON(w http.ResponseWriter, v any) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone: there is nobody else to tell.
	_, _ = w.Write(append(data, '\n'))
}
