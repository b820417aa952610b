package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/verify"
)

func (a *app) verifyCommand() *cobra.Command {
	var replay string
	var workers int
	cmd := &cobra.Command{
		Use:   "verify JOB",
		Short: "Check a job's ledger, checkpoints and result, and compute steps again",
		Long: `Checks that the job's step ledger is an unbroken chain from the specification and the data to its head, that the steps
use every record exactly once an epoch, that every checkpoint is whole and holds the ledger and the parameters of its step, and
that the result is the model in the last one. Everything is recomputed here, from what the coordinators store.

With --replay, steps FROM to TO are computed again in this process, from the nearest checkpoint before FROM or from the beginning,
on any number of workers, and compared with the ledger. It goes on to the first step at or after TO that the ledger has, and
reads the data where the specification says it is.

The exit code is 7 if anything differs.`,
		Example: `  lockstep job verify digits-mlp
  lockstep job verify digits-mlp --replay 100..200 --workers 3
  lockstep job verify digits-mlp -o json | jq .verified`,
		Args:              wants("JOB"),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := parseReplay(cmd, replay, workers)
			if err != nil {
				return err
			}
			return a.connected(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				return a.verify(ctx, c, args[0], r)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&replay, "replay", "", "compute steps `FROM..TO` again, counted from 1")
	f.IntVar(&workers, "workers", 1, "compute them on `N` workers; the result does not depend on it")
	return a.data(a.remote(cmd))
}

// parseReplay reads FROM..TO; nil if nothing is to be computed.
func parseReplay(cmd *cobra.Command, text string, workers int) (*verify.Replay, error) {
	if workers < 1 {
		return nil, usageErrorf(cmd, "--workers %d: want at least 1", workers)
	}
	if text == "" {
		return nil, nil
	}
	first, last, ok := strings.Cut(text, "..")
	from, err1 := strconv.ParseUint(first, 10, 64)
	to, err2 := strconv.ParseUint(last, 10, 64)
	if !ok || err1 != nil || err2 != nil || from < 1 || from > to {
		return nil, usageErrorf(cmd, "--replay %q: want FROM..TO, such as 100..200", text)
	}
	return &verify.Replay{From: from, To: to, Workers: workers, Cores: max(1, runtime.GOMAXPROCS(0)/workers)}, nil
}

// verified is what a verification found.
type verified struct {
	Job      string         `json:"job"`
	Verified bool           `json:"verified"`
	Checks   []verify.Check `json:"checks"`
}

func (a *app) verify(ctx context.Context, c *client.Client, name string, r *verify.Replay) error {
	find, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	j, err := findJob(find, c, name)
	if err != nil {
		return err
	}
	l, err := c.GetLedger(find, &lockstepv1.GetJobRequest{Job: j.Id})
	if err != nil {
		return answer(err)
	}
	v, err := verify.Open(j, l, c)
	if err != nil {
		return err
	}
	out := verified{Job: j.Id, Checks: v.Checks(ctx)}
	if r != nil {
		r.Data = dataOptions(c, j.DatasetRoot)
		again, err := v.Replay(ctx, *r)
		if errors.Is(err, verify.ErrRange) {
			return exitErrorf(codeUsage, "%w", err)
		}
		if err != nil {
			return err
		}
		out.Checks = append(out.Checks, again)
	}
	return a.printVerified(out)
}

// printVerified prints what was found; that something differs is the command's error.
func (a *app) printVerified(v verified) error {
	p := printed{names: []string{v.Job}}
	g := console.Grid{Columns: []console.Column{{Name: "CHECK"}, {Name: "OK"}, {Name: "DETAIL"}}}
	var bad []string
	for _, c := range v.Checks {
		g.Add(c.Name, yesNo(c.OK), c.Detail)
		if !c.OK {
			bad = append(bad, fmt.Sprintf("%s: %s", c.Name, c.Detail))
		}
	}
	v.Verified = len(bad) == 0
	p.value = v
	p.table = func(w io.Writer, wide bool) error { return g.Write(w, wide) }
	if err := a.print(p); err != nil {
		return err
	}
	if !v.Verified {
		return exitErrorf(codeUnverified, "job %s is not verified: %s", v.Job, strings.Join(bad, "; "))
	}
	return nil
}
