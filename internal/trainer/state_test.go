package trainer

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/dataset"
	"lockstep/internal/model"
	"lockstep/internal/spec"
)

// testTask opens a task on a small table of its own.
func testTask(t *testing.T, training string) *task {
	t.Helper()
	dir := t.TempDir()
	var rows bytes.Buffer
	rows.WriteString("a,b,y\n")
	for i := range 40 {
		rows.WriteString([]string{"1,2,p\n", "3,1,q\n", "0,5,r\n"}[i%3])
	}
	if err := os.WriteFile(filepath.Join(dir, "x.csv"), rows.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	j, err := spec.Parse("test.yaml", []byte(`
apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: t}
spec:
  dataset: {format: csv, source: "file://`+dir+`", train: {file: x.csv}, target: {column: y, type: category}, split: {train: 0.75, val: 0.25}}
  model: {layers: [{type: dense, units: 5, activation: relu}, {type: batch_norm}, {type: dense, units: 3}]}
  loss: {type: cross_entropy}
  metrics: [accuracy]
`+training))
	if err != nil {
		t.Fatal(err)
	}
	task := newTask("t")
	if err := task.open(t.Context(), &lockstepv1.Job{Id: "t", Spec: j.Canonical()}, 2, dataset.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := task.begin(nil); err != nil {
		t.Fatal(err)
	}
	return task
}

func TestStateRoundTrip(t *testing.T) {
	a := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n  early_stopping: {monitor: val_loss, mode: min, patience: 2, restore_best_weights: true}\n")
	s := a.state
	for i := range s.params {
		s.slots[0][i] = float32(i)
	}
	s.position, s.scales[1] = 2*16+1, 33
	s.best = best{seen: true, value: 0.25, bad: 1, stopped: true, params: append([]float32(nil), s.params...)}
	s.best.params[0] = 42
	s.plateau.LR, s.plateau.Bad = 0.5, 3
	s.sums[1] = 12
	s.metrics["val_loss"] = 0.75
	s.loss = 0.5
	a.enter(s)

	var data bytes.Buffer
	if err := ckpt.Encode(&data, a.encode(s)); err != nil {
		t.Fatal(err)
	}
	c, err := ckpt.Decode(bytes.NewReader(data.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	back, err := a.decode(c)
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := ckpt.Encode(&again, a.encode(back)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data.Bytes(), again.Bytes()) {
		t.Error("a decoded state is encoded otherwise")
	}
	if !back.best.stopped || back.best.params[0] != 42 || back.metrics["val_loss"] != 0.75 || back.scales[1] != 33 || back.step() != 16 || back.loss != 0.5 || len(back.chain) != 1 {
		t.Errorf("state after a round trip: %+v", back)
	}
}

func TestStateOfAnotherJobIsRefused(t *testing.T) {
	a := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n")
	b := testTask(t, "  training: {epochs: 3, global_batch_size: 8}\n")
	if _, err := b.decode(a.encode(a.state)); err == nil {
		t.Error("the state of another specification was taken")
	}
	c := a.encode(a.state)
	c.Tensors = c.Tensors[1:]
	if _, err := a.decode(c); err == nil {
		t.Error("a state without one of its tensors was taken")
	}
	c = a.encode(a.state)
	c.LedgerHead[0] ^= 1
	if _, err := a.decode(c); err == nil {
		t.Error("a state with another ledger's head was taken")
	}
	c = a.encode(a.state)
	c.Ints = nil
	if _, err := a.decode(c); err == nil {
		t.Error("a state without its counters was taken")
	}
}

func TestBucketsCoverEveryParameterOnceFromTheLast(t *testing.T) {
	params := []model.Param{{Off: 0, Len: 100}, {Off: 112, Len: 7}, {Off: 128, Len: 1}, {Off: 144, Len: 300}}
	for _, mb := range []float64{0, 0.0001, 0.0008, 1, 100} {
		seen := make([]int, len(params))
		last := len(params)
		for _, b := range planBuckets(params, mb) {
			if b.last != last-1 || b.first > b.last {
				t.Fatalf("bucket_mb %v: bucket %+v follows parameter %d", mb, b, last)
			}
			if b.off != params[b.first].Off || b.end != params[b.last].Off+params[b.last].Len {
				t.Fatalf("bucket_mb %v: range of %+v is wrong", mb, b)
			}
			for p := b.first; p <= b.last; p++ {
				seen[p]++
			}
			last = b.first
		}
		for p, n := range seen {
			if n != 1 {
				t.Errorf("bucket_mb %v: parameter %d is in %d buckets", mb, p, n)
			}
		}
	}
}

func TestIntervals(t *testing.T) {
	a := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n") // 30 records: 4 steps an epoch
	for _, c := range []struct {
		every spec.Interval
		hits  []int
	}{
		{spec.Interval{}, nil},
		{spec.Interval{Steps: 3}, []int{3, 6}},
		{spec.Interval{Epochs: 1}, []int{4, 8}},
		{spec.Interval{Epochs: 2}, []int{8}},
	} {
		var got []int
		for step := range 9 {
			if a.hits(c.every, step) {
				got = append(got, step)
			}
		}
		if len(got) != len(c.hits) || (len(got) > 0 && got[0] != c.hits[0]) {
			t.Errorf("%+v hits %v, want %v", c.every, got, c.hits)
		}
	}
}

func TestEarlyStopping(t *testing.T) {
	a := testTask(t, "  early_stopping: {monitor: val_loss, mode: min, patience: 2, min_delta: 0.1, restore_best_weights: true}\n")
	s := a.state
	for i, c := range []struct {
		loss    float64
		bad     int64
		stopped bool
	}{{1, 0, false}, {0.95, 1, false}, {0.8, 0, false}, {0.75, 1, false}, {0.9, 2, true}} {
		s.params[0] = float32(i)
		s.best = a.judge(s, map[string]float64{"val_loss": c.loss})
		if s.best.bad != c.bad || s.best.stopped != c.stopped {
			t.Fatalf("evaluation %d: bad %d, stopped %v; want %d, %v", i, s.best.bad, s.best.stopped, c.bad, c.stopped)
		}
	}
	if got := a.exported(s)[0]; got != 2 {
		t.Errorf("exported parameters are of evaluation %v, want 2", got)
	}
}

func TestConvertUsesEachParametersScale(t *testing.T) {
	a := &task{params: []model.Param{{Off: 0, Len: 3}, {Off: 16, Len: 2}}}
	b := bucket{first: 0, last: 1, off: 0, end: 18}
	acc := make([]int64, 18)
	acc[0], acc[2], acc[16], acc[17] = 4, 8, 4, 8
	scales := []int32{1, 2}
	whole := make([]float32, 18)
	a.convert(scales, b, whole, acc, 0)
	if whole[0] != 2 || whole[2] != 4 || whole[16] != 1 || whole[17] != 2 || whole[5] != 0 {
		t.Fatalf("converted %v", whole)
	}
	for cut := range 18 {
		parts := make([]float32, 18)
		a.convert(scales, b, parts[:cut], acc[:cut], 0)
		a.convert(scales, b, parts[cut:], acc[cut:], cut)
		for i := range parts {
			if parts[i] != whole[i] {
				t.Fatalf("cut at %d: element %d is %v, want %v", cut, i, parts[i], whole[i])
			}
		}
	}
}

// BenchmarkSnapshot is what a checkpoint of 100 MB costs the step that it is taken after.
func BenchmarkSnapshot(b *testing.B) {
	v := make([]float32, 25<<20)
	var c copies
	c.of(v)
	b.SetBytes(int64(4 * len(v)))
	for b.Loop() {
		c.used = 0
		c.of(v)
	}
}

// The first checkpoint is copied into memory that was taken before the first step; a job that makes none until its end takes none.
func TestMemoryForCheckpointsIsReady(t *testing.T) {
	for every, want := range map[string]int{"never": 0, "{steps: 3}": 3, "{epochs: 1}": 3} {
		task := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n  optimizer: {type: adam, learning_rate: 0.1}\n  checkpoint: {every: "+every+"}\n")
		task.readyCopies()
		task.readyCopies() // in the next generation
		if want == 0 {
			if task.spare != nil {
				t.Errorf("every %s: memory was taken", every)
			}
			continue
		}
		if len(task.spare) != 1 || len(task.spare[0].vectors) != want || len(task.spare[0].vectors[0]) != task.net.Size() {
			t.Fatalf("every %s: memory for %d checkpoints, want one of %d vectors", every, len(task.spare), want)
		}
		ready := task.spare[0]
		if c := task.copied(task.state); c.memory != ready || &c.Tensors[0].Data[0] != &ready.vectors[0][0] || len(ready.vectors) != want {
			t.Errorf("every %s: the first checkpoint has taken other memory", every)
		}
	}
}

// A copy into memory that was used before is that of the state now, and of no other.
func TestCopiesAreUsedAgain(t *testing.T) {
	var c copies
	first := c.of([]float32{1, 2, 3})
	c.of([]float32{4})
	c.used = 0
	if again := c.of([]float32{5, 6}); len(again) != 2 || again[1] != 6 || &again[0] != &first[0] {
		t.Errorf("second copy %v, over %v", again, first)
	}
}

// A checkpoint that begins while another is under way changes neither that one nor those that wait.
func TestCheckpointsThatWaitHaveTheirOwnMemory(t *testing.T) {
	task := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n")
	u := &uploader{s: &session{task: task}, active: true}
	first := task.copied(task.state)
	copied := []checkpoint{first}
	for i := range 2 {
		task.state.params[0] = float32(1000 + i)
		u.begin(task.state)
	}
	copied = append(copied, u.next...)
	if len(copied) != 3 {
		t.Fatalf("%d checkpoints, want one under way and two that wait", len(copied))
	}
	for i, c := range copied[1:] {
		if got := c.Tensors[0].Data[0]; got != float32(1000+i) {
			t.Errorf("checkpoint %d that waits holds %v, want %v", i, got, 1000+i)
		}
	}
	if got := copied[0].Tensors[0].Data[0]; got >= 1000 {
		t.Errorf("the checkpoint under way now holds %v", got)
	}
	u.following(first)
	if u.begin(task.state); u.next[1].memory != first.memory {
		t.Error("memory of a checkpoint that is stored is not used again")
	}
}

// What a generation did not get stored is left to the next one, oldest first.
func TestCheckpointsAreHandedOver(t *testing.T) {
	task := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n")
	u := newUploader(&session{task: task, ctx: t.Context()})
	u.active, u.done = true, make(chan struct{})
	underWay := task.copied(task.state)
	u.begin(task.state)
	u.undone(underWay)
	close(u.done)
	u.close()
	if len(task.unsaved) != 2 || task.unsaved[0] != underWay {
		t.Errorf("%d checkpoints are handed over, want the one under way and the one behind it", len(task.unsaved))
	}
}
