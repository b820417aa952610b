package trainer

import (
	"math"
	"testing"
	"time"
)

func TestSpeedometer(t *testing.T) {
	var s speedometer
	if rate, measured := s.rate(2); rate != 0 || measured != 0 {
		t.Errorf("%v after %v, before the first step", rate, measured)
	}
	step := func(n int, busy time.Duration) {
		for range n {
			s.busy.Add(int64(busy))
			s.stepped(4, 2*busy) // half of the time it waits
		}
	}
	step(100, 40*time.Millisecond)
	if rate, measured := s.rate(2); math.Abs(rate-200) > 1e-6 || measured != 8*time.Second {
		t.Errorf("%v after %v, want 200 micro-batches a second after 8s", rate, measured)
	}
	step(30, 400*time.Millisecond)
	if rate, _ := s.rate(2); rate > 21 {
		t.Errorf("%v a second, long after it became 20", rate)
	}
}
