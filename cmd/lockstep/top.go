package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
)

func (a *app) topCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch jobs, their losses, rings and workers in the terminal",
		Long: `Shows the cluster's jobs with their losses as curves, the rings of those that run, and the workers, anew every second, until
q or Ctrl-C. Where standard output is no terminal, or with --once, it prints one frame. With -o json or -o yaml it prints one
reading of the cluster, its jobs with who trains them, and its workers; with -o name the jobs' ids.`,
		Example: `  lockstep top
  lockstep top --once
  lockstep top -o json | jq '.jobs[] | select(.state == "RUNNING") | .members'`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				if a.format != console.Table && a.format != console.Wide {
					return a.printReading(ctx, c)
				}
				return a.top(ctx, c, once)
			})
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print one frame")
	return a.data(a.remote(cmd))
}

const (
	topEvery = time.Second
	ctrlC    = 3 // as a key: a raw terminal makes no signal of it
)

func (a *app) top(ctx context.Context, c *client.Client, once bool) error {
	var screen *console.Screen
	if !once {
		var err error
		if screen, err = console.OpenScreen(a.in, a.out, a.outTerm); errors.Is(err, console.ErrNoTerminal) {
			a.sayf("standard input and output are no terminal: this is one frame")
		} else if err != nil {
			return fmt.Errorf("open terminal: %w", err)
		}
	}
	if screen == nil {
		f, err := a.frame(ctx, c)
		if err == nil {
			_, err = fmt.Fprintln(a.out, strings.Join(f, "\n"))
		}
		return err
	}
	return errors.Join(a.watchTop(ctx, c, screen), screen.Close())
}

// watchTop draws until a key asks it to end. A cluster that does not answer is looked for again.
func (a *app) watchTop(ctx context.Context, c *client.Client, screen *console.Screen) error {
	quit := make(chan struct{})
	go a.awaitQuit(quit) // ends at the key, or with the process: reading a terminal cannot be given up
	t := time.NewTicker(topEvery)
	defer t.Stop()
	for last := []string(nil); ; {
		lines, err := a.frame(ctx, c)
		if err != nil && ctx.Err() == nil {
			lines = append([]string{a.outTerm.Bad("the cluster does not answer, trying again: ") + err.Error()}, last...)
		} else {
			last = lines
		}
		if err := screen.Draw(lines); err != nil {
			return err
		}
		select {
		case <-quit:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

// awaitQuit closes quit at the key q, or when there are no more keys.
func (a *app) awaitQuit(quit chan<- struct{}) {
	defer close(quit)
	key := make([]byte, 1)
	for {
		if _, err := io.ReadFull(a.in, key); err != nil || key[0] == 'q' || key[0] == ctrlC {
			return
		}
	}
}

const frameTimeout = 5 * time.Second

// frame gathers what there is to see, and writes it.
func (a *app) frame(ctx context.Context, c *client.Client) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, frameTimeout)
	defer cancel()
	s, err := readScene(ctx, c)
	if err != nil {
		return nil, err
	}
	s.jobs = newest(s.jobs)
	for _, j := range s.jobs {
		if s.series[j.Id], err = c.GetSeries(ctx, &lockstepv1.GetJobRequest{Job: j.Id}); err != nil {
			return nil, answer(err)
		}
	}
	return s.lines(a.outTerm, time.Now())
}

// readScene asks for all but the series.
func readScene(ctx context.Context, c *client.Client) (*scene, error) {
	status, err := c.GetStatus(ctx, &lockstepv1.GetStatusRequest{})
	if err != nil {
		return nil, answer(err)
	}
	jobs, err := c.ListJobs(ctx, &lockstepv1.ListJobsRequest{})
	if err != nil {
		return nil, answer(err)
	}
	workers, err := c.ListWorkers(ctx, &lockstepv1.ListWorkersRequest{})
	if err != nil {
		return nil, answer(err)
	}
	return &scene{status, jobs.Jobs, workers.Workers, map[string]*lockstepv1.Series{}}, nil
}
