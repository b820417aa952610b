package coord

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestThousandWorkers simulates a minute of 1,000 workers and 100 jobs in which every second a worker is lost and
// another comes, on a clock of its own, and reports what the scheduler and the state machine cost the leader.
func TestThousandWorkers(t *testing.T) {
	const workers, jobs, seconds = 1000, 100, 60
	w := newWorld(t)
	r := rand.New(rand.NewPCG(1, 2))
	var there []string
	for i := range workers {
		there = append(there, fmt.Sprint("w", i))
		w.add(there[i])
	}
	for i := range jobs {
		w.submitAs(fmt.Sprint("j", i), int32(i%3), 1, 8)
	}
	w.settle(view{})
	var looks, changes time.Duration
	for s := range seconds {
		i := r.IntN(len(there))
		w.lose(there[i])
		there[i] = fmt.Sprint("n", s)
		begin := time.Now()
		for _, c := range schedule(w.State, view{now: w.now}) {
			w.apply(c)
		}
		w.work()
		changes += time.Since(begin)
		w.add(there[i])
		w.settle(view{})
		for range int(time.Second / tick) {
			begin := time.Now()
			if c := schedule(w.State, view{now: w.now}); len(c) != 0 {
				t.Fatalf("second %d: the scheduler does not rest: %v", s, c)
			}
			looks += time.Since(begin)
		}
		w.now = w.now.Add(time.Second)
	}
	for _, j := range w.Jobs() {
		if !runs(j) {
			t.Errorf("job %s is %v: %s", j.Id, j.State, j.Reason)
		}
	}
	t.Logf("looking around costs %v a worker and second; a loss is repaired in %v",
		looks/(workers*seconds), changes/seconds)
}
