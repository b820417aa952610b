package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
)

// logView is a log line as scripts read it.
type logView struct {
	Time       time.Time `json:"time"`
	Source     string    `json:"source"` // worker or coordinator
	Level      string    `json:"level"`
	Message    string    `json:"message"`
	Attributes string    `json:"attributes"` // key=value ...
}

func (a *app) logsCommand() *cobra.Command {
	var follow bool
	var tail uint32
	cmd := &cobra.Command{
		Use:   "logs JOB",
		Short: "Show what workers and coordinators have logged about a job",
		Long: `Shows the log lines about a job of all workers and coordinators that are there, in order of time. Each process keeps its
newest ones, in memory: who is gone has taken its lines along, but the coordinators tell of its loss.`,
		Example: `  lockstep job logs digits-mlp
  lockstep job logs digits-mlp --follow
  lockstep job logs digits-mlp --tail 20 -o json`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				find, cancel := context.WithTimeout(ctx, callTimeout)
				defer cancel()
				j, err := findJob(find, c, args[0])
				if err != nil {
					return err
				}
				return a.logs(ctx, c, &lockstepv1.WatchLogsRequest{Job: j.Id, Follow: follow, Tail: tail})
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until the job has ended")
	cmd.Flags().Uint32Var(&tail, "tail", 0, "of the lines that there are, only the last `N`; 0: all")
	return a.data(a.remote(cmd))
}

// logs prints lines as they come; as a JSON or YAML document each. A stream that breaks is taken up again, with what was not
// printed.
func (a *app) logs(ctx context.Context, c *client.Client, r *lockstepv1.WatchLogsRequest) error {
	p := printedLines{tail: r.Tail > 0, bySource: map[string]int64{}}
	return reconnecting(ctx, a.sayLost, func() (bool, error) {
		p.again = p.first != 0
		stream, err := c.WatchLogs(ctx, r)
		if err != nil {
			return false, err
		}
		for progressed := false; ; {
			l, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return progressed, nil
			}
			if err != nil {
				return progressed, err
			}
			if !p.isNew(l) {
				continue
			}
			if err := a.printLine(logView{Time: time.Unix(0, l.TimeNs).UTC(), Source: l.Source, Level: l.Level, Message: l.Message, Attributes: l.Attributes}); err != nil {
				return progressed, exitErrorf(codeError, "print line: %w", err)
			}
			progressed, r.Tail = true, 0 // should it come to that, all of them are looked through
		}
	})
}

// printedLines tell lines that come again, with another stream, from new ones. Those of one process are in order of its clock;
// those of several need not be: one may be late, or its clock behind.
type printedLines struct {
	again    bool             // this is not the first stream
	tail     bool             // the first one left out lines that were older than its first
	first    int64            // time of the first line; 0: none was printed
	bySource map[string]int64 // time of the last line, of each process
}

func (p *printedLines) isNew(l *lockstepv1.LogLine) bool {
	last := p.bySource[l.Source]
	if p.again && (l.TimeNs <= last || p.tail && l.TimeNs < p.first) {
		return false
	}
	if p.first == 0 {
		p.first = l.TimeNs
	}
	p.bySource[l.Source] = max(last, l.TimeNs)
	return true
}

func (a *app) printLine(v logView) error {
	if a.format == console.JSON || a.format == console.YAML {
		return a.print(printed{value: v})
	}
	text := v.Message
	if v.Attributes != "" {
		text += "  " + v.Attributes
	}
	_, err := fmt.Fprintf(a.out, "%s %-5s %s  %s\n", v.Time.Local().Format("15:04:05.000"), v.Level, v.Source, text)
	return err
}
