package main

import (
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"lockstep/internal/serve"
)

func (a *app) serveCommand() *cobra.Command {
	var listen string
	cfg := serve.Config{Drain: 10 * time.Second}
	cmd := &cobra.Command{
		Use:   "serve MODEL",
		Short: "Answer inference requests over HTTP",
		Long: `Serves a model over HTTP, in the JSON of the Open Inference Protocol (KServe's V2), until Ctrl-C; requests under way are
finished then. MODEL is a job, or a file that "model export --format bundle" wrote; a job's model is read once, at the start.

  GET  /v2/health/live, /v2/health/ready, /v2/models/NAME, /metrics
  POST /v2/models/NAME/infer

A model of a table has an input for each column; any other has one, "input". Give records as they are: the
preprocessing that was fitted in training is applied. There is no access control: listen where you trust everybody.`,
		Example: `  lockstep serve iris
  lockstep serve iris.bundle.safetensors --listen 127.0.0.1:9000
  curl -s localhost:8000/v2/models/fashion-mlp/infer -d '{"inputs": [{"name": "input", "shape": [1, 784], "datatype": "FP32", "data": [...]}]}'`,
		Args:              wants("MODEL"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cfg.Batch < 1 || cfg.Batch > 1<<12 || cfg.Workers < 1 || cfg.Queue < 1 || cfg.Records < 1 || cfg.Body < 1 || cfg.Wait < 0 || cfg.Deadline <= 0 {
				return usageErrorf(cmd, "limits have to be positive, and --max-batch at most %d", 1<<12)
			}
			var err error
			if cfg.Model, err = a.useModel(cmd.Context(), args[0]); err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return fmt.Errorf("serve: %w", err)
			}
			cfg.Log = slog.New(slog.NewTextHandler(messages{a}, nil))
			s := serve.New(cfg)
			defer s.Close()
			a.sayf("serving model %s at http://%s/v2/models/%s", cfg.Model.Name, l.Addr(), cfg.Model.Name)
			return s.Run(cmd.Context(), l)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8000", "answer at `ADDRESS`")
	f.IntVar(&cfg.Workers, "cores", runtime.GOMAXPROCS(0), "compute `N` batches at the same time, each on a core")
	f.Lookup("cores").DefValue = "those of this machine" // help and reference are the same everywhere
	f.IntVar(&cfg.Batch, "max-batch", 32, "compute at most `N` records together")
	f.DurationVar(&cfg.Wait, "max-wait", 2*time.Millisecond, "let a batch wait for more records for this `TIME`")
	f.IntVar(&cfg.Queue, "max-queue", 256, "let `N` requests wait; more are refused")
	f.IntVar(&cfg.Records, "max-records", 1024, "take at most `N` records in a request")
	f.Int64Var(&cfg.Body, "max-bytes", 16<<20, "take at most `N` bytes in a request")
	f.DurationVar(&cfg.Deadline, "deadline", 10*time.Second, "give up a request after this `TIME`")
	return a.remote(cmd)
}
