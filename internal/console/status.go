package console

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Status is how far something is.
type Status struct {
	Name        string
	State       string // in a word; it matters when it is another than Running
	Running     string // the state in which the bar moves
	Reason      string // for the state
	Step, Total uint64 // Total 0: not known yet
	Epoch       uint32 // complete ones
	Epochs      uint32 // 0: epochs are not counted
	Figures     []Figure
	Rate        float64 // samples a second; 0: not known yet
	Workers     int
}

// Figure is a number to watch.
type Figure struct {
	Label string
	Value float64
}

// part is a piece of the line. The least important ones are left out where the line is short.
type part struct {
	text       string
	importance int
}

// parts gives the line's pieces in their order; the first is the name.
func (s *Status) parts(eta string) []part {
	var parts []part
	add := func(importance int, format string, args ...any) {
		parts = append(parts, part{fmt.Sprintf(format, args...), importance})
	}
	add(3, "%s", oneLine(s.Name))
	if s.State != s.Running {
		add(10, "%s", s.State)
		if s.Reason != "" {
			add(9, "%s", oneLine(s.Reason))
		}
	}
	if s.State == s.Running && s.Total == 0 {
		add(9, "starting")
	}
	if s.Epochs > 0 {
		add(4, "epoch %d/%d", min(s.Epoch+1, s.Epochs), s.Epochs)
	}
	if s.Total > 0 {
		add(2, "step %d/%d", s.Step, s.Total)
	}
	for _, f := range s.Figures {
		add(8, "%s %s", f.Label, figure(f.Value))
	}
	if s.Rate > 0 {
		add(6, "%.0f samples/s", s.Rate)
	}
	if s.Workers > 0 {
		add(5, "%s", plural(s.Workers, "worker"))
	}
	if eta != "" {
		add(7, "ETA %s", eta)
	}
	return parts
}

// figure writes a number in few characters, mostly equally many, so that the line is calm.
func figure(v float64) string {
	if a := math.Abs(v); a != 0 && a < 0.001 || a >= 1000 {
		return fmt.Sprintf("%.2e", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// plain is the status as a line of a log.
func (s *Status) plain(eta string) string {
	if s.State == s.Running {
		shown := *s
		shown.Running = "" // a log names every state
		shown.Reason = ""
		return join(shown.parts(eta))
	}
	return join(s.parts(eta))
}

const (
	minBar = 10
	maxBar = 30
	share  = len("  100%  ") // beside the bar
)

// line is the status as a line of at most width columns, with a bar if there is room for one. Where something runs
// the bar goes before what else there is to say.
func (s *Status) line(eta string, width int) string {
	parts := s.parts(eta)
	name := parts[0]
	room := width
	if s.Total > 0 && s.State == s.Running {
		room -= minBar + share
	}
	for len(parts) > 1 && utf8.RuneCountInString(join(parts)) > room {
		parts = dropLeast(parts)
	}
	rest := width - utf8.RuneCountInString(join(parts)) - share
	if s.Total > 0 && rest >= minBar {
		done := min(1, float64(s.Step)/float64(s.Total))
		b := part{text: fmt.Sprintf("%s %3d%%", bar(done, min(maxBar, rest)), int(done*100))}
		at := 0
		if parts[0] == name {
			at = 1
		}
		parts = slices.Insert(parts, at, b)
	}
	return clip(join(parts), width)
}

// dropLeast leaves out the least important part, the last of several.
func dropLeast(parts []part) []part {
	least := 0
	for i, p := range parts {
		if p.importance <= parts[least].importance {
			least = i
		}
	}
	return slices.Delete(parts, least, least+1)
}

// bar draws a share in width columns.
func bar(done float64, width int) string {
	inside := width - 2
	full := int(done * float64(inside))
	head := ""
	if full < inside {
		head = ">"
	}
	return "[" + strings.Repeat("=", full) + head + strings.Repeat(" ", inside-full-len(head)) + "]"
}

func join(parts []part) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.text
	}
	return strings.Join(texts, "  ")
}

func clip(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:max(0, width)])
	}
	return s
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// clock writes a duration as 1:02:03 or 2:03.
func clock(d time.Duration) string {
	s := int((d + time.Second/2) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
