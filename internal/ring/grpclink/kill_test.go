package grpclink_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"lockstep/internal/ring"
)

// A process that is killed in the middle of an operation is seen at once and named, long
// before the deadline.
func TestPeerIsKilled(t *testing.T) {
	const n = 300000
	s, own := newServer()
	addr, pid := startPeer(t, "exact", n, own)
	link := openLink(s, 0, own, addr)
	defer link.Close()
	m, _ := newMember("exact", 0, gradient(n, 0), link)
	for range 3 {
		if err := m.reduce(); err != nil {
			t.Fatal(err)
		}
	}
	failed := make(chan error)
	go func() {
		for {
			if err := m.reduce(); err != nil {
				failed <- err
				return
			}
		}
	}()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err := <-failed
	if d := time.Since(start); d > 5*time.Second { // the deadline is 10 s; usually it takes 25 ms
		t.Errorf("noticed after %v", d)
	} else {
		t.Logf("noticed after %v", d)
	}
	var pe *ring.PeerError
	if !errors.As(err, &pe) || pe.Peer != 1 {
		t.Errorf("error %v", err)
	}
}
