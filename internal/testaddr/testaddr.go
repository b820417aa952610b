// Package testaddr hands out loopback addresses to tests whose servers go away and come back at the same address. A port
// that the kernel chose, listened on and closed again, will not do: it may give the port to the next who asks.
package testaddr

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
)

// Ports below 32768 are never chosen by Linux for those that leave the choice to it.
const firstPort, lastPort = 20000, 32767

var next atomic.Int32

// New returns an address that nobody listens on and that this process has not handed out before.
func New(t testing.TB) string {
	t.Helper()
	for {
		port := firstPort + int(next.Add(1))
		if port > lastPort {
			t.Fatal("there are no more test addresses")
		}
		address := net.JoinHostPort(host(), strconv.Itoa(port))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
}

// host is this process's own: on Linux all of 127.0.0.0/8 is loopback.
func host() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 1+pid>>16&127, pid>>8&255, pid&255)
}
