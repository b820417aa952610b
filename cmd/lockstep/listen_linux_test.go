package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// socketsOf are the inodes of a process's sockets.
func socketsOf(t *testing.T, pid int) map[string]bool {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, fd := range fds {
		to, err := os.Readlink(fd)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be closed by now
			t.Fatal(err)
		}
		if inode, ok := strings.CutPrefix(to, "socket:["); ok {
			all[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return all
}

// addressIn reads an address of /proc/net/tcp or tcp6: words of 32 bits in this machine's order, a colon, and the port.
func addressIn(t *testing.T, text string) net.IP {
	t.Helper()
	digits, _, _ := strings.Cut(text, ":")
	ip, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	for word := range slices.Chunk(ip, 4) {
		slices.Reverse(word)
	}
	return ip
}

// listensOn returns how many ports a process listens at, and those that can be reached from other machines; with TCP or UDP.
func listensOn(t *testing.T, pid int) (ports int, reachable []string) {
	t.Helper()
	const listening, unconnected = "0A", "07" // states of TCP and UDP
	own := socketsOf(t, pid)
	for table, state := range map[string]string{"tcp": listening, "tcp6": listening, "udp": unconnected, "udp6": unconnected} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue // a machine without IPv6 has no such table
		}
		for _, line := range strings.Split(string(text), "\n")[1:] {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != state || !own[f[9]] {
				continue
			}
			ports++
			if ip := addressIn(t, f[1]); !ip.IsLoopback() {
				reachable = append(reachable, fmt.Sprintf("%s: %s, %s", table, ip, f[1]))
			}
		}
	}
	return ports, reachable
}

// TestEmbeddedClustersListenOnLoopback: no port of run and up can be reached from another machine: of gRPC, raft, HTTP, NATS and
// the workers, while a job trains.
func TestEmbeddedClustersListenOnLoopback(t *testing.T) {
	inRunFolder(t)
	const wanted = 3*3 + 1 + 2 // of coordinators, NATS and workers
	check := func(p *process) {
		t.Helper()
		if ports, reachable := listensOn(t, p.cmd.Process.Pid); ports < wanted || len(reachable) > 0 {
			t.Errorf("%v: listens at %d ports, want %d; other machines reach %q", p.cmd.Args[1:], ports, wanted, reachable)
		}
	}
	p := startProcess(t, nil, "run", "tiny.yaml", "--set", endless, "--coordinators", "3", "--workers", "2")
	p.says(&p.err, "RUNNING")
	check(p)
	p = startProcess(t, nil, "up", "--workers", "2", "--data-dir", "d", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "-o", "name")
	p.says(&p.err, "The cluster is up")
	p.says(&p.out, "\n")
	address, _, _ := strings.Cut(p.out.String(), "\n")
	job := strings.TrimSpace(command(t, "job", "submit", "tiny.yaml", "-d", "--set", endless, "--addr", address).out)
	events := start(t, "job", "events", "-f", job, "--addr", address)
	events.says(&events.out, "state=RUNNING")
	check(p)
	up := newApp(nil, io.Discard, io.Discard).upCommand()
	for _, flag := range []string{"listen", "http"} {
		host, _, err := net.SplitHostPort(up.Flags().Lookup(flag).DefValue)
		if err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("up --%s is %q by default: %v", flag, up.Flags().Lookup(flag).DefValue, err)
		}
	}
}
