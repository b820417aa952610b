package console

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal is what is known of a stream: whether a person looks at it, and what it can show.
type Terminal struct {
	Width  func() int // in columns; nil where the stream is no terminal
	Colour bool
}

// TerminalOf looks at a stream. env reads the environment: NO_COLOR (https://no-color.org) forbids colours, TERM=dumb
// makes it as good as no terminal.
func TerminalOf(w io.Writer, env func(string) string) Terminal {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || env("TERM") == "dumb" {
		return Terminal{}
	}
	width := func() int {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
		return 80
	}
	return Terminal{Width: width, Colour: env("NO_COLOR") == ""}
}

// State dresses a word for a state: green for what is well, yellow for what waits, red for what is not well.
func (t Terminal) State(word string) string {
	switch word {
	case "RUNNING", "SUCCEEDED", "Leader":
		return t.dress("32", word)
	case "PENDING", "RECOVERING", "PAUSED", "CANCELLED":
		return t.dress("33", word)
	case "FAILED":
		return t.Bad(word)
	}
	return word
}

// Bad dresses the word for something that went wrong.
func (t Terminal) Bad(word string) string { return t.dress("31", word) }

func (t Terminal) dress(code, word string) string {
	if !t.Colour {
		return word
	}
	return "\x1b[" + code + "m" + word + "\x1b[0m"
}
