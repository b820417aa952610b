package dataset

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// RecordError says what is wrong in a data file, and where.
type RecordError struct {
	File   string // path
	Record int    // data record, from 1; 0 where the fault is not in one
	Line   int    // line of a text file, from 1; 0 in a binary one
	Column string // name of the column, "" where the fault is not in one
	Value  string // what stands there; only meaningful with a Column
	Err    error
}

// Error gives `FILE: record 3 (line 4), column "age": "old" is not a number`, without the parts that are not known.
func (e *RecordError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	switch {
	case e.Record > 0 && e.Line > 0:
		fmt.Fprintf(&b, ": record %d (line %d)", e.Record, e.Line)
	case e.Record > 0:
		fmt.Fprintf(&b, ": record %d", e.Record)
	case e.Line > 0:
		fmt.Fprintf(&b, ": line %d", e.Line)
	}
	if e.Column != "" {
		fmt.Fprintf(&b, ", column %q: %s", e.Column, excerpt(e.Value))
	} else {
		b.WriteString(":")
	}
	return b.String() + " " + e.Err.Error()
}

// Unwrap returns the fault itself.
func (e *RecordError) Unwrap() error { return e.Err }

// excerpt quotes the beginning of a value.
func excerpt(s string) string {
	const most = 40
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	n := most
	for !utf8.RuneStart(s[n]) && n > most-utf8.UTFMax {
		n--
	}
	return fmt.Sprintf("%q...", s[:n])
}
