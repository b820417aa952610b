package console

import (
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Screen is the whole of a terminal, drawn anew frame by frame. What was on it before is there again after Close.
type Screen struct {
	in, out *os.File
	before  *term.State
}

// ErrNoTerminal marks streams that are no terminal.
var ErrNoTerminal = errors.New("no terminal")

// OpenScreen takes over a terminal: keys come at once and are not shown.
func OpenScreen(in io.Reader, out io.Writer, t Terminal) (*Screen, error) {
	i, inFile := in.(*os.File)
	o, outFile := out.(*os.File)
	if t.Width == nil || !inFile || !outFile || !term.IsTerminal(int(i.Fd())) {
		return nil, ErrNoTerminal
	}
	before, err := term.MakeRaw(int(i.Fd()))
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(o, "\x1b[?1049h\x1b[?25l") // the other screen, no cursor
	return &Screen{i, o, before}, err
}

// Draw shows lines, as many and as much of them as there is room for.
func (s *Screen) Draw(lines []string) error {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width < 1 || height < 1 {
		width, height = 80, 24
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, l := range lines[:min(len(lines), height)] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(cut(l, width) + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, err = io.WriteString(s.out, b.String())
	return err
}

// Close gives the terminal back.
func (s *Screen) Close() error {
	_, err := io.WriteString(s.out, "\x1b[?25h\x1b[?1049l")
	return errors.Join(err, term.Restore(int(s.in.Fd()), s.before))
}

// cut leaves the first width characters of a line, and all its commands to the terminal, which take no room.
func cut(line string, width int) string {
	var b strings.Builder
	for len(line) > 0 {
		if strings.HasPrefix(line, "\x1b[") {
			end := strings.IndexByte(line, 'm') + 1
			if end == 0 {
				break
			}
			b.WriteString(line[:end])
			line = line[end:]
			continue
		}
		_, n := utf8.DecodeRuneInString(line)
		if width > 0 {
			b.WriteString(line[:n])
			width--
		}
		line = line[n:]
	}
	return b.String()
}
