package main

import (
	"fmt"
	"io"
	"time"

	"lockstep/internal/console"
)

// printed is data in each of its forms.
type printed struct {
	value any                                // for JSON and YAML
	names []string                           // for Name
	table func(w io.Writer, wide bool) error // for Table and Wide
}

// print writes data to standard output in the form that was asked for.
func (a *app) print(p printed) error {
	switch a.format {
	case console.JSON:
		return console.WriteJSON(a.out, p.value)
	case console.YAML:
		return console.WriteYAML(a.out, p.value)
	case console.Name:
		for _, n := range p.names {
			if _, err := fmt.Fprintln(a.out, n); err != nil {
				return err
			}
		}
		return nil
	}
	return p.table(a.out, a.format == console.Wide)
}

// done tells what a command did, in words for people, and otherwise as data with a name.
func (a *app) done(value any, name, format string, args ...any) error {
	return a.print(printed{value: value, names: []string{name}, table: func(io.Writer, bool) error {
		a.sayf(format, args...)
		return nil
	}})
}

// ago tells how long something is past, in its largest unit or two; "" for the zero time.
func ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return short(time.Since(t))
}

// short writes a duration in its largest unit or two: 12s, 3m20s, 5h, 2d.
func short(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 10*time.Minute:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// size writes a number of bytes.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for ; v >= unit && i < 3; i++ {
		v /= unit
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGT"[i])
}
