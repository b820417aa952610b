package console

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal of 100 columns and returns the side that programs see.
func terminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: 100, Row: 25}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("the pseudo-terminal is not there: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty
}

func TestTerminal(t *testing.T) {
	tty := terminal(t)
	for _, c := range []struct {
		name   string
		env    map[string]string
		width  int // 0: no terminal
		failed string
	}{
		{"plain", nil, 100, "\x1b[31mFAILED\x1b[0m"},
		{"without colours", map[string]string{"NO_COLOR": "1"}, 100, "FAILED"},
		{"dumb", map[string]string{"TERM": "dumb"}, 0, "FAILED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			term := TerminalOf(tty, func(name string) string { return c.env[name] })
			width := 0
			if term.Width != nil {
				width = term.Width()
			}
			if got := term.State("FAILED"); width != c.width || got != c.failed {
				t.Errorf("width %d, want %d; FAILED is %q, want %q", width, c.width, got, c.failed)
			}
		})
	}
}
