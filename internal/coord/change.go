package coord

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
	"lockstep/internal/spec"
)

// asking is a request to the cluster on behalf of one over HTTP.
type asking func(ctx context.Context, c lockstepv1.JobsClient, r *http.Request) (*lockstepv1.Job, error)

// changeRoutes are what may be done to jobs over HTTP.
func (n *Node) changeRoutes(mux *http.ServeMux) {
	for action, ask := range map[string]asking{
		"cancel": func(ctx context.Context, c lockstepv1.JobsClient, r *http.Request) (*lockstepv1.Job, error) {
			return c.CancelJob(ctx, &lockstepv1.CancelJobRequest{Job: r.PathValue("job"), Reason: "cancelled from the page"})
		},
		"pause": func(ctx context.Context, c lockstepv1.JobsClient, r *http.Request) (*lockstepv1.Job, error) {
			return c.PauseJob(ctx, &lockstepv1.PauseJobRequest{Job: r.PathValue("job"), Reason: "paused from the page"})
		},
		"resume": func(ctx context.Context, c lockstepv1.JobsClient, r *http.Request) (*lockstepv1.Job, error) {
			return c.ResumeJob(ctx, &lockstepv1.ResumeJobRequest{Job: r.PathValue("job")})
		},
		"scale": scale,
	} {
		mux.HandleFunc("POST /api/v1/jobs/{job}/"+action, n.serveChange(ask))
	}
	mux.HandleFunc("POST /api/v1/jobs", n.serveSubmit)
}

// maxSpec bounds a specification that is submitted over HTTP.
const maxSpec = 1 << 20

// serveSubmit takes a specification in YAML and answers with the job.
func (n *Node) serveSubmit(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSpec))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	parsed, err := spec.Parse("job.yaml", text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n.serveChange(func(ctx context.Context, c lockstepv1.JobsClient, _ *http.Request) (*lockstepv1.Job, error) {
		return c.SubmitJob(ctx, &lockstepv1.SubmitJobRequest{Spec: parsed.Canonical()})
	})(w, r)
}

// scale takes the bounds on the workers from ?min and ?max.
func scale(ctx context.Context, c lockstepv1.JobsClient, r *http.Request) (*lockstepv1.Job, error) {
	lo, err := strconv.ParseUint(r.URL.Query().Get("min"), 10, 32)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "min: %v", err)
	}
	hi, err := strconv.ParseUint(r.URL.Query().Get("max"), 10, 32)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "max: %v", err)
	}
	return c.ScaleJob(ctx, &lockstepv1.ScaleJobRequest{Job: r.PathValue("job"), WorkersMin: uint32(lo), WorkersMax: uint32(hi)})
}

// changeTimeout bounds a request that changes something.
const changeTimeout = 10 * time.Second

// serveChange asks this coordinator's own gRPC server, which knows the way to the leader, and shows the job.
func (n *Node) serveChange(ask func(context.Context, lockstepv1.JobsClient, *http.Request) (*lockstepv1.Job, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := n.peers.to(n.cfg.ID)
		if err != nil {
			httpError(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), changeTimeout)
		defer cancel()
		j, err := ask(ctx, lockstepv1.NewJobsClient(conn), r)
		if err != nil {
			httpError(w, err)
			return
		}
		n.writeJSON(w, job.ViewOf(j))
	}
}
