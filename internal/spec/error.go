package spec

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxErrors  = 10  // errors reported at once; the rest is counted
	maxExcerpt = 160 // characters of a source line that are shown
	maxWord    = 100 // bytes of a word that may be a misspelling
)

// Error is one fault of a specification. Parse returns several of them joined; errors.As finds the first.
//
//	job.yaml:12:23: unknown key "unit" in a dense layer
//	      - {type: dense, unit: 10}
//	                      ^
//	hint: did you mean "units"?
type Error struct {
	File   string
	Line   int // from 1; 0 where the fault is of the file as a whole
	Col    int // from 1, in characters
	Msg    string
	Hint   string // may be empty
	Source string // the line at fault, without its line break
}

// Error gives the place, the message, the line with a caret under the column, and the hint.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line == 0 {
		fmt.Fprintf(&b, "%s: %s", e.File, e.Msg)
	} else {
		fmt.Fprintf(&b, "%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
		line, indent := excerpt(e.Source, e.Col)
		fmt.Fprintf(&b, "\n%s\n%s^", line, indent)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "\nhint: %s", e.Hint)
	}
	return b.String()
}

// excerpt cuts a long line to what is around col, and gives the white space that brings a caret under col.
func excerpt(line string, col int) (text, indent string) {
	runes := []rune(line)
	at := min(max(col-1, 0), len(runes))
	if len(runes) > maxExcerpt {
		from := max(0, min(at-maxExcerpt/2, len(runes)-maxExcerpt))
		runes = runes[from : from+maxExcerpt]
		at -= from
	}
	pad := make([]rune, at)
	for i := range pad {
		pad[i] = ' '
		if runes[i] == '\t' {
			pad[i] = '\t'
		}
	}
	return string(runes), string(pad)
}

// nearest returns the candidate that word was probably meant to be: one with few letters changed, or one that
// contains it. It returns "" if there is none. Ties go to the first in alphabetical order.
func nearest(word string, candidates []string) string {
	if len(word) > maxWord {
		return ""
	}
	best, bestDistance := "", max(1, utf8.RuneCountInString(word)/3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		d := distance(strings.ToLower(word), strings.ToLower(c))
		if len(word) >= 3 && d >= bestDistance && best == "" && strings.Contains(c, word) {
			best = c
		} else if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of letters that must be inserted, deleted, replaced or swapped with their neighbour to turn
// a into b (the optimal string alignment distance).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row := make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			change := last[j-1]
			if s[i-1] != t[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}

// didYouMean turns the nearest candidate into a hint, "" if none is near.
func didYouMean(word string, candidates []string) string {
	if n := nearest(word, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return ""
}
