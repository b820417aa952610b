package testcluster

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/internal/testaddr"
)

// Of the job that TestStall measures: a checkpoint every so many steps, and how many intervals.
const (
	stallEvery = 25
	stallTimes = 6
)

// TestStall measures how long a job stands still for a checkpoint of 100 MB, 8.6 million parameters and their Adam state, that
// three coordinators store on the same machine: LOCKSTEP_CAMPAIGN=stall. The step that begins with the copy of the state may take a
// step longer than others, and so may each one that the checkpoint is stored behind.
func TestStall(t *testing.T) {
	if !campaign("stall") {
		t.Skip("measures, on a machine that does nothing else: LOCKSTEP_CAMPAIGN=stall go test ./internal/testcluster -run TestStall -v")
	}
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			c := Start(t, Options{Undisturbed: true})
			http := testaddr.New(t)
			c.AddWorker("--http", http)
			for range workers - 1 {
				c.AddWorker()
			}
			c.WaitWorkers(workers)
			hidden := "{type: dense, units: 2048, activation: relu}"
			id := c.submitWhen(workers, "spec.model.layers", "["+strings.Repeat(hidden+", ", 3)+"{type: dense, units: 10}]",
				"spec.training", fmt.Sprintf("{max_steps: %d, global_batch_size: 64}", stallEvery*stallTimes+1),
				"spec.checkpoint.every", fmt.Sprintf("{steps: %d}", stallEvery))
			steps := c.stepTimes(http, stallEvery*stallTimes)
			j := c.WaitDone(id)
			t.Logf("%d bytes of state", j.Checkpoints[0].Size)
			judgeStall(t, steps)
		})
	}
}

// stepTimes are the times that a worker's steps take, by their number, what is done between them included.
func (c *Cluster) stepTimes(address string, last int) []time.Duration {
	c.t.Helper()
	made := make([]time.Time, last+1)
	for ctx, seen := c.context(), 0; seen < last; after(pollEvery) {
		if ctx.Err() != nil {
			c.t.Fatalf("step %d of %d after %v", seen, last, Limit)
		}
		for n := min(stepsMade(address), last); seen < n; {
			seen++
			made[seen] = time.Now()
		}
	}
	took := make([]time.Duration, last+1)
	for n := 2; n <= last; n++ {
		took[n] = made[n].Sub(made[n-1])
	}
	return took
}

// stepsMade asks a worker; 0 also if it does not answer, or has no job.
func stepsMade(address string) (n int) {
	r, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "\nlockstep_worker_steps_total{")
	_, rest, _ = strings.Cut(rest, "} ")
	_, _ = fmt.Sscan(rest, &n) // it has no job
	return n
}

// judgeStall compares the longest step at and after each checkpoint with the median.
func judgeStall(t *testing.T, took []time.Duration) {
	t.Helper()
	median := slices.Sorted(slices.Values(took))[len(took)/2]
	t.Logf("a step takes %v (median)", median.Round(time.Millisecond))
	for at := stallEvery; at < stallEvery*stallTimes; at += stallEvery {
		after := took[at+1 : at+stallEvery+1] // the first of them begins with the copy of the state
		longest := slices.Max(after)
		t.Logf("the steps after the checkpoint of step %d took %v, the first %v, the longest %v", at, ms(after), after[0].Round(time.Millisecond), longest.Round(time.Millisecond))
		if longest > 2*median {
			t.Errorf("checkpoint of step %d: more than a step of %v is lost", at, median)
		}
	}
}

// ms are times in milliseconds.
func ms(times []time.Duration) (out []int64) {
	for _, d := range times {
		out = append(out, d.Milliseconds())
	}
	return out
}
