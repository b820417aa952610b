package testcluster

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
	"lockstep/internal/spec"
)

// bigSpec is a net that computes much for every byte that it reads: 10 million operations for a record of 3 KiB.
const bigSpec = `apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: %s}
spec:
  seed: 5
  dataset: {format: idx, source: "file://%s", train: {images: x, labels: y}, preprocessing: [{type: rescale, scale: 0.0039}]}
  model:
    layers:
      - {type: conv2d, filters: 16, kernel_size: 3, padding: same, activation: relu}
      - {type: max_pool2d, pool_size: 2}
      - {type: conv2d, filters: 32, kernel_size: 3, padding: same, activation: relu}
      - {type: max_pool2d, pool_size: 4}
      - {type: flatten}
      - {type: dense, units: 10}
  loss: {type: cross_entropy}
  optimizer: {type: sgd, learning_rate: 0.001}
  training: {max_steps: %d, global_batch_size: 64, micro_batches: 8}
  checkpoint: {every: never}
`

const bigRecord = 32 * 32 * 3 // bytes

// bigSize is a number of bytes, in the environment in MiB.
func bigSize(t *testing.T, name string, standard int64) int64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return standard
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: want a number of MiB", name, s)
	}
	return n << 20
}

// writeBig writes images of noise with labels, as idx files of about size bytes, into a new folder.
func writeBig(t *testing.T, size int64) string {
	t.Helper()
	dir := t.TempDir()
	n := size / bigRecord
	noise := rand.NewChaCha8([32]byte{7})
	header := func(dims ...uint32) []byte {
		b := []byte{0, 0, 8, byte(len(dims))}
		for _, d := range dims {
			b = binary.BigEndian.AppendUint32(b, d)
		}
		return b
	}
	for name, content := range map[string]io.Reader{
		"x": io.MultiReader(bytes.NewReader(header(uint32(n), 32, 32, 3)), io.LimitReader(noise, n*bigRecord)),
		"y": io.MultiReader(bytes.NewReader(header(uint32(n))), &digitsOf{io.LimitReader(noise, n)}),
	} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = bufio.NewReaderSize(content, 1<<20).WriteTo(f); err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// digitsOf makes labels below 10 of bytes.
type digitsOf struct{ r io.Reader }

func (d *digitsOf) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	for i := range p[:n] {
		p[i] %= 10
	}
	return n, err
}

// TestLargerThanMemory trains on data much larger than what its workers may hold, and on a part of it that they hold, and
// compares: LOCKSTEP_CAMPAIGN=bigdata. The data are of LOCKSTEP_BIGDATA MiB, default 10 GB; a worker's process may
// take LOCKSTEP_BIGDATA_MEMORY MiB in all, default 1 GiB, half of it for data.
func TestLargerThanMemory(t *testing.T) {
	if !campaign("bigdata") {
		t.Skip("takes minutes and 11 GB of disk: LOCKSTEP_CAMPAIGN=bigdata go test ./internal/testcluster -run TestLargerThanMemory -timeout 1h -v")
	}
	const workers = 2
	size, memory := bigSize(t, "LOCKSTEP_BIGDATA", 10e9), bigSize(t, "LOCKSTEP_BIGDATA_MEMORY", 1<<30)
	var fs unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &fs); err != nil {
		t.Fatal(err)
	}
	if free, need := int64(fs.Bavail)*fs.Bsize, size+size/10; free < need {
		t.Skipf("%s has %d MB free, %d are needed", os.TempDir(), free/1e6, need/1e6)
	}
	big, small := writeBig(t, size), writeBig(t, memory/8)
	c := Start(t, Options{Coordinators: 1, Workers: workers, Undisturbed: true, Patience: time.Hour,
		Env:        []string{fmt.Sprintf("GOMEMLIMIT=%d", memory/16*15)}, // of the Go runtime; the program itself comes on top
		WorkerArgs: []string{"--memory-for-data", fmt.Sprint(memory / 2)}})
	c.WaitWorkers(workers)
	before := c.bigRate("before", small)
	stop := forget(t, filepath.Join(big, "x"))
	rate := c.bigRate("big", big)
	stop()
	after := c.bigRate("after", small)
	held := max(before, after)
	t.Logf("%d MB of records: %.0f records/s; a part of it in memory: %.0f before, %.0f after; %.1f %% of the better", size/1e6, rate, before, after, 100*rate/held)
	for _, w := range c.Workers() {
		most := w.peak(t)
		t.Logf("%s took %d MiB at most, of %d", w.Name, most>>20, memory>>20)
		if most > memory {
			t.Errorf("%s took %d MiB", w.Name, most>>20)
		}
	}
	if rate < 0.95*held {
		t.Errorf("data larger than memory costs more than 5 %%")
	}
}

// bigSteps is how many steps a rate is taken from.
const bigSteps = 4000

// bigRate trains on the data in a folder, and returns how many records a second that was.
func (c *Cluster) bigRate(name, dir string) float64 {
	c.t.Helper()
	j, err := spec.Parse(name, fmt.Appendf(nil, bigSpec, name, dir, bigSteps))
	if err != nil {
		c.t.Fatal(err)
	}
	begin := time.Now()
	id := c.submitAs(name, j.Canonical())
	started := c.WaitJob(id, "its first step", func(j *lockstepv1.Job) bool { return j.Progress.GetStep() > 0 })
	opened := time.Since(begin)
	then := c.workers[0].peak(c.t)
	rate := job.ViewOf(c.WaitDone(started.Id)).SamplesPerSecond
	c.t.Logf("%s: opened in %v, with at most %d MiB; %d steps in %v, %.0f records/s, with at most %d MiB", name, opened.Round(time.Second), then>>20,
		bigSteps, (time.Since(begin) - opened).Round(time.Second), rate, c.workers[0].peak(c.t)>>20)
	return rate
}

// forget has the kernel forget a file's content every second, so that workers read it from the disk.
func forget(t *testing.T, name string) (stop func()) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer f.Close()
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(quit); <-done }
}

// peak is the most memory that a process has had, in bytes: its own, and what it maps of files; the page cache does not count.
func (p *Process) peak(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); !ok || err != nil {
		t.Fatalf("no VmHWM in %s", status)
	}
	return kilobytes << 10
}
