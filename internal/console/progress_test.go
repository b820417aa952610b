package console

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func training(step uint64) Status {
	return Status{
		Name: "digits", State: "RUNNING", Running: "RUNNING", Step: step, Total: 200, Epoch: uint32(step / 20), Epochs: 10,
		Figures: []Figure{{"loss", 0.12349}, {"acc", 0.97}}, Rate: 12345.6, Workers: 4,
	}
}

// TestPlain: one line at once, one every ten seconds, one at each change of state.
func TestPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := OpenProgress(&b, nil)
		time.Sleep(redrawEvery / 2) // between two ticks
		for i := range 25 {         // one a second
			p.Update(training(uint64(i)))
			time.Sleep(time.Second)
		}
		waiting := training(25)
		waiting.State, waiting.Reason = "RECOVERING", "waits for workers"
		p.Update(waiting)
		p.Update(waiting)
		p.Note("generation 7")
		if err := p.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		p.Update(training(26))
		time.Sleep(time.Minute)
		want := []string{
			"00:00:00 digits  RUNNING  epoch 1/10  step 0/200  loss 0.1235  acc 0.9700  12346 samples/s  4 workers",
			"00:00:10 digits  RUNNING  epoch 1/10  step 10/200  loss 0.1235  acc 0.9700  12346 samples/s  4 workers  ETA 3:10",
			"00:00:20 digits  RUNNING  epoch 2/10  step 20/200  loss 0.1235  acc 0.9700  12346 samples/s  4 workers  ETA 3:00",
			"00:00:25 digits  RECOVERING  waits for workers  epoch 2/10  step 25/200  loss 0.1235  acc 0.9700  12346 samples/s  4 workers",
			"generation 7",
		}
		got := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

// TestBarIsDrawnAtMostTenTimesASecond, however often it is updated, and what is drawn last is the newest.
func TestBarIsDrawnAtMostTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := OpenProgress(&b, func() int { return 120 })
		for i := range 1000 {
			p.Update(training(uint64(i) / 5))
			time.Sleep(2 * time.Millisecond)
		}
		p.Update(training(200))
		time.Sleep(redrawEvery)
		synctest.Wait()
		frames := strings.Split(b.String(), "\r")[1:]
		if n := len(frames); n < 10 || n > 22 {
			t.Errorf("%d frames in 2.1 s, want about 20", n)
		}
		if last := frames[len(frames)-1]; !strings.Contains(last, "] 100%") || !strings.Contains(last, "step 200/200") {
			t.Errorf("last frame is %q, want the newest status", last)
		}
		p.Close()
		if !strings.HasSuffix(b.String(), "\r\x1b[K") {
			t.Error("the line is still there after Close")
		}
	})
}

// TestBarIsStillWhereNothingChanges: equal lines are not drawn again.
func TestBarIsStillWhereNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := OpenProgress(&b, func() int { return 80 })
		defer p.Close()
		p.Update(training(3))
		time.Sleep(time.Second)
		synctest.Wait()
		if n := strings.Count(b.String(), "\r"); n != 1 {
			t.Errorf("drawn %d times, want once: %q", n, b.String())
		}
	})
}

// TestNoteStandsAboveBar: the line is taken away, the note written, the line drawn again.
func TestNoteStandsAboveBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := OpenProgress(&b, func() int { return 40 })
		defer p.Close()
		p.Update(training(3))
		b.Reset()
		p.Note("worker-2 left")
		if got := b.String(); !strings.HasPrefix(got, "\r\x1b[Kworker-2 left\n\r[") {
			t.Errorf("wrote %q", got)
		}
	})
}

// TestLineFits checks every width: a line never wraps, and the state of what does not run is kept longest.
func TestLineFits(t *testing.T) {
	waiting := training(20)
	waiting.State, waiting.Reason = "RECOVERING", strings.Repeat("waits ", 30)
	for width := range 200 {
		for _, s := range []Status{training(0), training(100), training(200), waiting, {Name: "ü", State: "PENDING"}} {
			line := s.line("1:00:00", width)
			if n := utf8.RuneCountInString(line); n > width {
				t.Fatalf("width %d: %d columns: %q", width, n, line)
			}
			if s.State == "RECOVERING" && width >= len("RECOVERING") && !strings.Contains(line, "RECOVERING") {
				t.Errorf("width %d hides the state: %q", width, line)
			}
		}
	}
	s := training(100)
	for _, c := range []struct {
		width int
		want  string
	}{
		{140, "digits  [==============>             ]  50%  epoch 6/10  step 100/200  loss 0.1235  acc 0.9700  12346 samples/s  4 workers  ETA 0:10"},
		{79, "[====>   ]  50%  loss 0.1235  acc 0.9700  12346 samples/s  4 workers  ETA 0:10"},
		{40, "[=========>         ]  50%  loss 0.1235"},
	} {
		if got := s.line("0:10", c.width); got != c.want {
			t.Errorf("width %d:\n got %q\nwant %q", c.width, got, c.want)
		}
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		share float64
		want  string
	}{{0, "[>       ]"}, {0.5, "[====>   ]"}, {0.99, "[=======>]"}, {1, "[========]"}} {
		if got := bar(c.share, 10); got != c.want {
			t.Errorf("bar(%v) = %q, want %q", c.share, got, c.want)
		}
	}
}

func TestPace(t *testing.T) {
	var p pace
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	if _, ok := p.left(at(0), 10); ok {
		t.Error("knows the time left from nothing")
	}
	p.add(at(0), 0)
	if _, ok := p.left(at(1), 10); ok {
		t.Error("knows the time left from one point")
	}
	p.add(at(2), 4) // half a second a step
	p.add(at(3), 4) // nothing new
	for now, want := range map[int]time.Duration{2: 3 * time.Second, 4: time.Second, 9: 0} {
		if got, ok := p.left(at(now), 10); !ok || got != want {
			t.Errorf("left at %d s = %v, %v; want %v", now, got, ok, want)
		}
	}
	for s := 3; s <= 100; s++ { // now a second a step
		p.add(at(s), uint64(s+2))
	}
	if got, ok := p.left(at(100), 112); !ok || got != 10*time.Second {
		t.Errorf("left = %v, %v; want 10s: old points must not count", got, ok)
	}
	if n := len(p.points); n > 40 {
		t.Errorf("keeps %d points", n)
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0:00", 61400 * time.Millisecond: "1:01", 3725 * time.Second: "1:02:05", 59600 * time.Millisecond: "1:00"} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) = %q, want %q", d, got, want)
		}
	}
}
