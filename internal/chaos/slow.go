package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// slowPeriod is how often a slowed process stops and goes on.
const slowPeriod = 100 * time.Millisecond

// SlowDown lets a process run for one part in so many of the time, until ctx ends or the process has ended.
func SlowDown(ctx context.Context, pid, factor int) error {
	if factor < 1 {
		return fmt.Errorf("slow process %d by %d", pid, factor)
	}
	run := slowPeriod / time.Duration(factor)
	defer syscall.Kill(pid, syscall.SIGCONT) // it may have ended
	for {
		for _, phase := range []struct {
			signal syscall.Signal
			lasts  time.Duration
		}{{syscall.SIGSTOP, slowPeriod - run}, {syscall.SIGCONT, run}} {
			if err := syscall.Kill(pid, phase.signal); err != nil {
				return fmt.Errorf("slow process %d: %w", pid, err)
			}
			if !pause(ctx, phase.lasts) {
				return nil
			}
		}
	}
}

// pause waits, and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
