package embed

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/spec"
)

// endless is a job that only ends when it is cancelled.
const endless = `
apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: endless}
spec:
  dataset: {format: csv, source: ., train: {file: xor.csv}, header: false, features: [{column: "0", type: number}, {column: "1", type: number}],
    target: {column: "2", type: number}}
  model: {layers: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1}]}
  loss: {type: mse}
  training: {max_steps: 1000000000, global_batch_size: 4, micro_batches: 4, eval_every: never}
  checkpoint: {every: never}
`

// TestGenerationsLeaveNothingBehind changes the members of a job again and again: afterwards the process has as many
// goroutines and as much memory as at the beginning. LOCKSTEP_CAMPAIGN=generations does so a thousand times.
func TestGenerationsLeaveNothingBehind(t *testing.T) {
	changes := 31 // the last of three, as of the first ones, leaves one member, which needs no ring
	if os.Getenv("LOCKSTEP_CAMPAIGN") == "generations" {
		changes = 1000
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	c, err := Start(ctx, Config{Coordinators: 1, Workers: 3, DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := client.Dial(c.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	id := submitEndless(t, ctx, cl)
	change := func(n int) {
		for i := range n {
			members := 1 + i%3
			if _, err := cl.ScaleJob(ctx, &lockstepv1.ScaleJobRequest{Job: id, WorkersMin: 1, WorkersMax: uint32(members)}); err != nil {
				t.Fatal(err)
			}
			awaitMembers(t, ctx, cl, id, members)
		}
	}
	change(changes/9*3 + 1) // pools and caches fill
	routines, heap := usage()
	change(changes)
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > routines+5 && time.Now().Before(end); runtime.Gosched() { // some are on their way out
	}
	after, more := usage()
	if after > routines+5 {
		t.Errorf("%d goroutines run after %d generations, %d before", after, changes, routines)
	}
	t.Logf("%d generations: %d goroutines, then %d; %d KiB, then %d", changes, routines, after, heap>>10, more>>10)
	if more > heap+heap/2+4<<20 {
		t.Errorf("%d bytes are in use after %d generations, %d before", more, changes, heap)
	}
}

// usage returns the number of goroutines and the bytes that are in use.
func usage() (routines int, heap uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}

func submitEndless(t *testing.T, ctx context.Context, c *client.Client) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xor.csv"), []byte("0,0,0\n0,1,1\n1,0,1\n1,1,0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "job.yaml")
	j, err := spec.Parse(file, []byte(endless))
	if err == nil {
		err = j.ResolveSource(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.SubmitJob(ctx, &lockstepv1.SubmitJobRequest{RequestId: "endless", Spec: j.Canonical()})
	if err != nil {
		t.Fatal(err)
	}
	return made.Id
}

// awaitMembers waits until a job is trained by so many workers.
func awaitMembers(t *testing.T, ctx context.Context, c *client.Client, id string, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.WatchJob(ctx, &lockstepv1.GetJobRequest{Job: id})
	var j *lockstepv1.Job
	for err == nil {
		var news *lockstepv1.Job
		if news, err = stream.Recv(); err == nil {
			j = news
		}
		if err == nil && len(j.Generation.GetMembers()) == n && j.Generation.Phase == lockstepv1.GenerationPhase_GENERATION_PHASE_RUNNING {
			return
		}
	}
	t.Fatalf("wait for %d members: %v; the job is %v: %s", n, err, j.GetState(), j.GetReason())
}
