// Package logring keeps the newest log records of a process that are about a job, in bounded memory, for those who ask
// what happened to that job.
package logring

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// JobKey is the attribute that names a record's job.
const JobKey = "job"

const (
	mostLines = 2048 // kept
	mostBytes = 2048 // of a message, and of its attributes
)

// Line is one log record.
type Line struct {
	Number     uint64 // 1, 2, 3, ... over the life of the process
	Time       time.Time
	Level      slog.Level
	Job        string
	Message    string
	Attributes string // key=value ..., without the job
}

// Ring holds the newest lines. It is safe for concurrent use.
type Ring struct {
	mu    sync.Mutex
	lines []Line // oldest first; under mu
	last  uint64 // number of the newest line; under mu
}

// Handler makes a handler that keeps records about jobs, of level info or above, and passes all to another one.
func (r *Ring) Handler(next slog.Handler) slog.Handler { return &handler{ring: r, next: next} }

// After returns the lines about a job whose number is above n, oldest first, and the number of the newest line of all.
func (r *Ring) After(job string, n uint64) (lines []Line, last uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if l.Number > n && l.Job == job {
			lines = append(lines, l)
		}
	}
	return lines, r.last
}

func (r *Ring) add(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	l.Number = r.last
	if len(r.lines) == mostLines {
		r.lines = slices.Delete(r.lines, 0, mostLines/8) // rarely, so that it costs next to nothing
	}
	r.lines = append(r.lines, l)
}

// handler is what a logger writes to.
type handler struct {
	ring   *Ring
	next   slog.Handler
	job    string
	text   string // of the attributes so far
	prefix string // of the groups that are open
}

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || h.next.Enabled(ctx, l)
}

func (h *handler) Handle(ctx context.Context, rec slog.Record) error {
	if rec.Level >= slog.LevelInfo {
		with := *h
		rec.Attrs(func(a slog.Attr) bool {
			with.take(a)
			return true
		})
		if with.job != "" {
			h.ring.add(Line{Time: rec.Time, Level: rec.Level, Job: with.job, Message: cut(rec.Message), Attributes: cut(strings.TrimPrefix(with.text, " "))})
		}
	}
	if !h.next.Enabled(ctx, rec.Level) {
		return nil
	}
	return h.next.Handle(ctx, rec)
}

// take adds an attribute to the text, or keeps it as the job.
func (h *handler) take(a slog.Attr) {
	v := a.Value.Resolve()
	if a.Key == JobKey && h.prefix == "" {
		h.job = v.String()
		return
	}
	text := v.String()
	if strings.ContainsAny(text, " \"\n\t=") {
		text = fmt.Sprintf("%q", text)
	}
	h.text += " " + h.prefix + a.Key + "=" + text
}

func cut(s string) string {
	if len(s) > mostBytes {
		return strings.ToValidUTF8(s[:mostBytes], "") + "..."
	}
	return s
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	for _, a := range attrs {
		with.take(a)
	}
	with.next = h.next.WithAttrs(attrs)
	return &with
}

func (h *handler) WithGroup(name string) slog.Handler {
	with := *h
	if name != "" {
		with.prefix += name + "."
	}
	with.next = h.next.WithGroup(name)
	return &with
}
