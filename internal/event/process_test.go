package event

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"lockstep/internal/testaddr"
)

// childEnv is the directory of a server that a helper process runs until it is killed.
const childEnv = "LOCKSTEP_EVENT_TEST_SERVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := serveForEver(dir, os.Getenv(childEnv+"_ADDR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// serveForEver prints the URL of the server when it is ready.
func serveForEver(dir, addr string) error {
	s, err := StartServer(ServerConfig{Dir: dir, Addr: addr})
	if err != nil {
		return err
	}
	fmt.Println(s.ClientURL())
	_, err = io.Copy(io.Discard, os.Stdin) // until it is killed, or the test is
	return errors.Join(errors.New("nobody killed the server"), err)
}

// child starts a server in a process of its own.
func child(t *testing.T, dir, addr string) (cmd *exec.Cmd, url string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_ADDR="+addr)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the helper did not start a server: %v", cmd.Wait())
	}
	return cmd, lines.Text()
}

// TestKilledServerLosesNothingAcknowledged kills the server's process in the middle of publishing.
func TestKilledServerLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	cmd, url := child(t, dir, testaddr.New(t))
	p := newPublisher(t, url)
	const n = 2000
	done := 0
	for round := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		result := make(chan int)
		go func() {
			k, _ := p.PublishAll(ctx, messages(done, n))
			result <- k
		}()
		waitMessages(t, url, 100*(round+1))
		kill(t, cmd, syscall.SIGKILL)
		cancel()
		done += <-result
		cmd, url = child(t, dir, strings.TrimPrefix(url, "nats://"))
	}
	mustPublish(t, p, messages(done, n))
	expectSequence(t, url, n)
	kill(t, cmd, syscall.SIGKILL)
}

// waitMessages waits until the stream has n messages.
func waitMessages(t *testing.T, url string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	err := Subscribe(ctx, url, []string{All}, true, func(_ Event, seq uint64) {
		if seq >= uint64(n) {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("waiting for %d messages: %v", n, err)
	}
}

func kill(t *testing.T, cmd *exec.Cmd, signal syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("the helper ended by itself: %v", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != signal {
		t.Errorf("the helper ended with %v, want it ended by signal %v: somebody handles signals", err, signal)
	}
}

// TestServerLeavesSignalsAlone: each of these ends a Go process that has no handler, unless it was started by nohup.
func TestServerLeavesSignalsAlone(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(s) {
			continue
		}
		cmd, _ := child(t, t.TempDir(), testaddr.New(t))
		kill(t, cmd, s)
	}
}

// globals is what of a process's state a library might change.
type globals struct {
	procs, gcPercent int
	memoryLimit      int64
	flags            string
}

func readGlobals() globals {
	gc := debug.SetGCPercent(100)
	debug.SetGCPercent(gc)
	g := globals{procs: runtime.GOMAXPROCS(0), gcPercent: gc, memoryLimit: debug.SetMemoryLimit(-1)}
	flag.VisitAll(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") {
			g.flags += f.Name + " "
		}
	})
	return g
}

func TestServerLeavesTheProcessAlone(t *testing.T) {
	before := readGlobals()
	if before.flags != "" || before.memoryLimit != math.MaxInt64 && os.Getenv("GOMEMLIMIT") == "" {
		t.Errorf("importing changed the process: %+v", before)
	}
	routines := runtime.NumGoroutine()
	s := startServer(t, t.TempDir(), "")
	p := newPublisher(t, s.ClientURL())
	mustPublish(t, p, messages(0, 10))
	if during := readGlobals(); during != before {
		t.Errorf("the server changed the process: %+v, before: %+v", during, before)
	}
	if err := errors.Join(p.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(limit); runtime.NumGoroutine() > routines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left of %d:\n%s", runtime.NumGoroutine()-routines, routines, stacks())
		}
	}
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}
