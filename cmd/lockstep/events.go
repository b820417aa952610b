package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/coord"
	"lockstep/internal/event"

	"google.golang.org/grpc/status"
)

func (a *app) eventsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "events JOB",
		Short: "Print what happened to a job",
		Long: `Prints the events of a job, oldest first: one a line, or with -o json one CloudEvents object a line. With -f it goes on
with new ones until the job has ended. The same events are on NATS, under lockstep.v1.job.ID.`,
		Example: `  lockstep job events digits-mlp
  lockstep job events digits-mlp -f -o json | jq -c '{type, data}'`,
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
				return a.events(ctx, c, j.Id, follow)
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new events until the job has ended")
	return a.data(a.remote(cmd))
}

// events prints a job's events. A stream that breaks is taken up again after the last event printed.
func (a *app) events(ctx context.Context, c *client.Client, id string, follow bool) error {
	after := uint64(0)
	return reconnecting(ctx, a.sayLost, func() (bool, error) {
		stream, err := c.WatchEvents(ctx, &lockstepv1.WatchEventsRequest{Job: id, After: after, Follow: follow})
		if err != nil {
			return false, err
		}
		for progressed := false; ; progressed = true {
			e, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return progressed, nil
			}
			if err != nil {
				return progressed, err
			}
			after = e.Sequence
			if err := a.printEvent(e); err != nil {
				return progressed, exitErrorf(codeError, "print event: %w", err)
			}
		}
	})
}

// sayLost tells of a stream that is tried again.
func (a *app) sayLost(err error) {
	a.sayf("the cluster does not answer, trying again: %s", status.Convert(err).Message())
}

// printEvent prints one event: JSON as one line, so that what follows a stream can read it.
func (a *app) printEvent(e *lockstepv1.Event) error {
	switch a.format {
	case console.JSON, console.YAML:
		text, err := event.Encode(coord.CloudEvent(e))
		if err != nil {
			return err
		}
		if a.format == console.YAML {
			fmt.Fprintln(a.out, "---")
			return console.WriteYAML(a.out, json.RawMessage(text))
		}
		_, err = fmt.Fprintf(a.out, "%s\n", text)
		return err
	case console.Name:
		_, err := fmt.Fprintln(a.out, coord.CloudEvent(e).ID)
		return err
	}
	line := fmt.Sprintf("%s  %-10s  %s", time.UnixMilli(e.TimeMs).Local().Format("15:04:05.000"), kind(e), details(e.Data))
	if a.format == console.Wide {
		line = fmt.Sprintf("%6d  %6d  %s  %s", e.Sequence, e.Index, line, e.Subject)
	}
	_, err := fmt.Fprintln(a.out, strings.TrimRight(line, " "))
	return err
}

// kind is the last part of an event's type.
func kind(e *lockstepv1.Event) string { return e.Type[strings.LastIndex(e.Type, ".")+1:] }

// details writes an event's data as key=value.
func details(data []byte) string {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		return string(data)
	}
	var parts []string
	flatten(&parts, fields)
	return strings.Join(parts, " ")
}

// detailOrder is what an event's reader looks for first; other keys follow by name.
var detailOrder = []string{"state", "reason", "step", "epoch", "generation", "phase", "workers"}

func flatten(parts *[]string, fields map[string]any) {
	keys := make([]string, 0, len(fields))
	for k := range fields {
		keys = append(keys, k)
	}
	rank := func(k string) int {
		if i := slices.Index(detailOrder, k); i >= 0 {
			return i
		}
		return len(detailOrder)
	}
	slices.Sort(keys)
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	for _, k := range keys {
		switch v := fields[k].(type) {
		case map[string]any:
			flatten(parts, v)
		case string:
			*parts = append(*parts, k+"="+quoteSpaces(v))
		default:
			*parts = append(*parts, fmt.Sprintf("%s=%v", k, v))
		}
	}
}

// quoteSpaces quotes a text that would not be one word.
func quoteSpaces(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == 0x7f }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}
