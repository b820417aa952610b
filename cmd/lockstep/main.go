// Command lockstep is the command line of a Lockstep cluster: it trains one job on a cluster of its own (run), starts
// a cluster on this machine (up), and speaks to a running one (job, model, worker, cluster).
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(exitCode(run(context.Background(), os.Args[1:])))
}

// run executes one command line. The first interrupt ends its context with errInterrupted, so that it can leave in
// order; the second ends the process.
func run(ctx context.Context, args []string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	go a.obey(signals, cancel, os.Exit)
	return a.execute(ctx, args)
}

// obey asks a command to end at the first signal and ends the process at the second.
func (a *app) obey(signals <-chan os.Signal, interrupt func(error), exit func(int)) {
	<-signals
	interrupt(errInterrupted)
	<-signals
	a.scratch.remove() // what cannot be removed now never will be
	exit(codeInterrupted)
}

// errInterrupted is the cause with which a first interrupt ends the context of a command.
var errInterrupted = &exitError{codeInterrupted, errors.New("interrupted")}
