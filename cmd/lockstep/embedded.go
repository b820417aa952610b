package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"lockstep/internal/embed"
	"lockstep/internal/flagenv"
	"lockstep/internal/source"
	"lockstep/internal/telemetry"
)

const logFile = "lockstep.log" // in the data directory

// embeddedFlags are what run and up have in common: a cluster in this process.
type embeddedFlags struct {
	workers      int
	coordinators int
	dataDir      string
	verbose      bool
	watched      telemetry.Flags
	memory       flagenv.Size
	roots        flagenv.Folders
}

// embedded gives a command the flags of a cluster in this process. All its flags may be environment variables, and say so.
func embedded(cmd *cobra.Command, f *embeddedFlags, dataDir string) *cobra.Command {
	flags := cmd.Flags()
	flags.IntVar(&f.workers, "workers", 4, "start `N` workers; the result does not depend on it")
	flags.IntVar(&f.coordinators, "coordinators", 3, "start `N` coordinators; a majority of them must live")
	flags.StringVar(&f.dataDir, "data-dir", "", dataDir)
	flags.Var(&f.memory, "memory-for-data", "how much of its records each worker holds in memory, such as 1GiB; what is more is read from its files, or from a copy in the data directory where they are compressed or tables (0: no bound; default: half of the memory that there is, shared among the workers)")
	flags.Var(&f.roots, "data-root", "folder that the data of jobs may lie in, links followed; several with commas or several times (default: any)")
	flags.BoolVar(&f.verbose, "verbose", false, "show warnings of the cluster's log, too, not only in its file "+logFile)
	f.watched.AddTo(flags)
	cmd.Annotations = map[string]string{annotateEnv: "all"}
	cmd.Long += "\nEvery flag may be an environment variable: --data-dir is " + flagenv.Name("data-dir") + "."
	return cmd
}

func (f *embeddedFlags) validate(cmd *cobra.Command) error {
	switch {
	case f.workers < 1:
		return usageErrorf(cmd, "--workers %d: want at least 1", f.workers)
	case f.coordinators < 1:
		return usageErrorf(cmd, "--coordinators %d: want at least 1", f.coordinators)
	}
	if !cmd.Flags().Changed("memory-for-data") {
		f.memory = flagenv.HalfOfMemory() / flagenv.Size(f.workers)
	}
	return nil
}

// startCluster starts a cluster on a data directory, with its log in there. What it returns closes both.
func (a *app) startCluster(ctx context.Context, dir string, f embeddedFlags, listen, http string) (*embed.Cluster, func() error, error) {
	file, err := os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	log := a.clusterLog(file, f.verbose)
	watched, closeTraces, err := f.watched.Open(ctx, "cluster", "embedded", log)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	flagenv.LimitHeap()
	c, err := embed.Start(ctx, embed.Config{
		Coordinators: f.coordinators, Workers: f.workers, Memory: int64(f.memory), S3: objectStore(), DataRoots: source.Roots(f.roots), DataDir: dir, Listen: listen, HTTP: http, Log: log, Telemetry: watched,
	})
	if err != nil {
		if interrupted(ctx) {
			err = errInterrupted
		}
		return nil, nil, errors.Join(err, closeTraces(), file.Close())
	}
	return c, func() error { return errors.Join(c.Close(), closeTraces(), file.Close()) }, nil
}

// clusterLog writes everything to a file, and warnings also as messages if they are asked for.
func (a *app) clusterLog(file io.Writer, verbose bool) *slog.Logger {
	all := slog.NewTextHandler(file, &slog.HandlerOptions{Level: slog.LevelInfo})
	if !verbose {
		return slog.New(all)
	}
	shown := slog.NewTextHandler(messages{a}, &slog.HandlerOptions{Level: slog.LevelWarn})
	return slog.New(slog.NewMultiHandler(all, shown))
}

// messages makes each write a message.
type messages struct{ a *app }

func (m messages) Write(p []byte) (int, error) {
	m.a.sayf("%s", strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// makeDataDir makes the directory and returns its absolute path.
func makeDataDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("make data directory: %w", err)
	}
	return dir, nil
}

// scratch is a temporary directory that is removed at the end, also at an end that comes from elsewhere.
type scratch struct {
	mu   sync.Mutex
	dir  string
	over bool
}

func (s *scratch) make() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return "", errInterrupted
	}
	dir, err := os.MkdirTemp("", "lockstep-run-*")
	if err != nil {
		return "", fmt.Errorf("make temporary data directory: %w", err)
	}
	s.dir = dir
	return dir, nil
}

func (s *scratch) remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}
