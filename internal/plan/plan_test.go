package plan

import (
	"os"
	"slices"
	"testing"

	"lockstep/internal/spec"
)

// digits is the plan of the example.
func digits(t *testing.T, o Options, changes ...string) *Plan {
	t.Helper()
	const file = "../../examples/digits-mlp.yaml"
	text, err := os.ReadFile(file)
	for i := 0; i+1 < len(changes) && err == nil; i += 2 {
		text, err = spec.Set(text, changes[i], changes[i+1])
	}
	if err != nil {
		t.Fatal(err)
	}
	j, err := spec.Parse(file, text)
	if err == nil {
		err = j.ResolveSource(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := Make(t.Context(), j, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlan(t *testing.T) {
	p := digits(t, Options{Workers: 3, Cores: 2}, "spec.parallelism.workers.min", "1", "spec.parallelism.workers.max", "6", "spec.training.micro_batches", "8")
	sum, records := 0, 0
	var shards []int
	for _, l := range p.Layers {
		sum += l.Parameters
	}
	for i, m := range p.Members {
		if i > 0 && m.SegmentFrom != p.Members[i-1].SegmentTo {
			t.Errorf("member %d begins at segment %d, the one before ends at %d", i, m.SegmentFrom, p.Members[i-1].SegmentTo)
		}
		records += m.Records
		shards = append(shards, m.Shards...)
	}
	slices.Sort(shards)
	if n := len(slices.Compact(shards)); len(p.Members) != 3 || records != p.Data.Train || n != p.Data.Shards {
		t.Errorf("%d members read %d of %d records in %d of %d shards", len(p.Members), records, p.Data.Train, n, p.Data.Shards)
	}
	if sum != p.Parameters || p.Steps != p.Epochs*p.EpochSteps || p.StepFLOPs != p.SampleFLOPs*int64(p.Batch) || p.MemoryBytes < 4*p.ModelBytes {
		t.Errorf("it does not add up: %+v", p)
	}
	var workers []int
	for _, s := range p.Workers {
		workers = append(workers, s.Workers)
		if got, want := s.Sent, 2*int64(s.Workers-1)*p.ModelBytes/int64(s.Workers); got != want {
			t.Errorf("each of %d workers sends %d bytes, want %d", s.Workers, got, want)
		}
	}
	if !slices.Equal(workers, []int{1, 2, 4, 6}) {
		t.Errorf("tells of %v workers", workers)
	}
	half := digits(t, Options{Cores: 2}, "spec.parallelism.wire", "bf16", "spec.parallelism.workers.max", "2")
	if got := half.Workers[len(half.Workers)-1].Sent; got != p.ModelBytes/2 {
		t.Errorf("bf16 sends %d bytes, want half of %d", got, p.ModelBytes)
	}
}
