package logring

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func TestRing(t *testing.T) {
	var r Ring
	var out bytes.Buffer
	log := slog.New(r.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log.Info("of no job")
	log.With("worker", "w 1").With("job", "a").Info("first", "step", 3, "error", errors.New("broken"))
	log.Debug("hidden", "job", "a")
	log.Warn("second", "job", "b")
	log.WithGroup("g").Info("a job in a group is another thing", "job", "a")
	lines, last := r.After("a", 0)
	if len(lines) != 1 || last != 2 || lines[0].Message != "first" || lines[0].Attributes != `worker="w 1" step=3 error=broken` || lines[0].Time.IsZero() {
		t.Errorf("of job a: %+v, last %d", lines, last)
	}
	if lines, _ := r.After("a", last); lines != nil {
		t.Errorf("after the last: %+v", lines)
	}
	if s := out.String(); !strings.Contains(s, "second") || strings.Contains(s, "first") {
		t.Errorf("passed on: %s", s)
	}
}

// TestRingIsBounded: old lines go, and long ones are cut.
func TestRingIsBounded(t *testing.T) {
	var r Ring
	log := slog.New(r.Handler(slog.DiscardHandler)).With("job", "a")
	var g sync.WaitGroup
	for range 4 {
		g.Go(func() {
			for range mostLines {
				log.Info(strings.Repeat("x", 2*mostBytes))
			}
		})
	}
	g.Wait()
	lines, last := r.After("a", 0)
	if len(lines) > mostLines || last != 4*mostLines || lines[len(lines)-1].Number != last || len(lines[0].Message) > mostBytes+3 {
		t.Errorf("%d lines up to %d of %d, of %d bytes", len(lines), lines[len(lines)-1].Number, last, len(lines[0].Message))
	}
}
