package main

import (
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/internal/serve"
)

func (a *app) serveCommand() *cobra.Command {
	var listen string
	var files serve.DoorFiles
	var insecure bool
	cfg := serve.Config{Drain: 10 * time.Second}
	cmd := &cobra.Command{
		Use:   "serve MODEL",
		Short: "Answer inference requests over HTTP",
		Long: `Serves a model over HTTP, in the JSON of the Open Inference Protocol (KServe's V2), until Ctrl-C; requests under way are
finished then. MODEL is a job, or a file that "model export --format bundle" wrote; a job's model is read once, at the start.

  GET  /v2/health/live, /v2/health/ready, /v2/models/NAME, /metrics
  POST /v2/models/NAME/infer

A model of a table has an input for each column; any other has one, "input". Give records as they are: the
preprocessing that was fitted in training is applied.

Beyond this machine it answers over HTTPS only (--serve-tls-cert, --serve-tls-key), and only who shows a token of
--client-tokens or a certificate of --client-tls-ca; --insecure is for networks where you trust everybody, and behind a
proxy that does both. Health is open to everybody. The files are read again when they change.`,
		Example: `  lockstep serve iris
  lockstep serve iris.bundle.safetensors --listen 127.0.0.1:9000
  lockstep serve iris --listen 0.0.0.0:8000 --serve-tls-cert certs/iris/cert.pem --serve-tls-key certs/iris/key.pem --client-tokens tokens.txt
  curl -s localhost:8000/v2/models/fashion-mlp/infer -d '{"inputs": [{"name": "input", "shape": [1, 784], "datatype": "FP32", "data": [...]}]}'`,
		Args:              wants("MODEL"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cfg.Batch < 1 || cfg.Batch > 1<<12 || cfg.Workers < 1 || cfg.Queue < 1 || cfg.Records < 1 || cfg.Body < 1 || cfg.Wait < 0 || cfg.Deadline <= 0 {
				return usageErrorf(cmd, "limits have to be positive, and --max-batch at most %d", 1<<12)
			}
			address, err := listenAddress(cmd, listen, &files, insecure)
			if err != nil {
				return err
			}
			if cfg.Door, err = files.Open(); err != nil {
				return usageErrorf(cmd, "%w", err)
			}
			if cfg.Model, err = a.useModel(cmd.Context(), args[0]); err != nil {
				return err
			}
			l, err := net.ListenTCP("tcp", address)
			if err != nil {
				return fmt.Errorf("serve: %w", err)
			}
			cfg.Log = slog.New(slog.NewTextHandler(messages{a}, nil))
			s := serve.New(cfg)
			defer s.Close()
			a.sayServing(cfg.Model.Name, l.Addr().(*net.TCPAddr), &files)
			return s.Run(cmd.Context(), l)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8000", "answer at `ADDRESS`")
	files.AddFlags(f)
	f.BoolVar(&insecure, "insecure", false, "listen beyond this machine although requests are not encrypted, or anybody may make them")
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

// listenAddress is where to listen. Beyond this machine that takes encryption, and somebody to be known by, unless the user
// insists.
func listenAddress(cmd *cobra.Command, listen string, files *serve.DoorFiles, insecure bool) (*net.TCPAddr, error) {
	address, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, usageErrorf(cmd, "--listen: %w", err)
	}
	if lacks := lacking(files); !address.IP.IsLoopback() && !insecure && len(lacks) > 0 {
		return nil, usageErrorf(cmd, "--listen %s can be reached from other machines, and %s; --insecure listens there all the same", listen, strings.Join(lacks, ", and "))
	}
	return address, nil
}

// lacking is what a server that can be reached from elsewhere should have.
func lacking(files *serve.DoorFiles) (lacks []string) {
	if !files.Encrypted() {
		lacks = append(lacks, "requests would not be encrypted (--serve-tls-cert and --serve-tls-key)")
	}
	if !files.Guarded() {
		lacks = append(lacks, "anybody could make them (--client-tokens or --client-tls-ca)")
	}
	return lacks
}

func (a *app) sayServing(model string, at *net.TCPAddr, files *serve.DoorFiles) {
	if lacks := lacking(files); !at.IP.IsLoopback() && len(lacks) > 0 {
		a.sayf("warning: %s can be reached from other machines, and %s", at, strings.Join(lacks, ", and "))
	}
	scheme := "http"
	if files.Encrypted() {
		scheme = "https"
	}
	a.sayf("serving model %s at %s://%s/v2/models/%s", model, scheme, at, model)
}
