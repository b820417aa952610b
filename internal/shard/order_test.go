package shard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"lockstep/internal/rng"
)

// reference is the package's documentation done literally: every list written out.
func reference(p Plan, epoch int) (steps [][][]int) {
	var order []int
	shards := make([]int, (p.Records+p.ShardRecords-1)/p.ShardRecords)
	s := rng.New(p.Seed, rng.ShardOrder, uint64(epoch), 0, 0)
	s.Perm(shards)
	for _, shard := range shards {
		inside := make([]int, min(p.ShardRecords, p.Records-shard*p.ShardRecords))
		s := rng.New(p.Seed, rng.RecordOrder, uint64(epoch), uint64(shard), 0)
		s.Perm(inside)
		for _, r := range inside {
			order = append(order, shard*p.ShardRecords+r)
		}
	}
	if !p.Shuffle {
		slices.Sort(order)
	}
	n, S := len(order), (len(order)+p.Batch-1)/p.Batch
	for t := range S {
		var step [][]int
		for m := range p.Micro {
			segment := order[m*n/p.Micro : (m+1)*n/p.Micro]
			cut := func(t int) int64 { // floor(t*L/S + m/M), in fractions
				x := new(big.Rat).SetFrac64(int64(t*len(segment)), int64(S))
				x.Add(x, new(big.Rat).SetFrac64(int64(m), int64(p.Micro)))
				return new(big.Int).Div(x.Num(), x.Denom()).Int64()
			}
			step = append(step, segment[cut(t):cut(t+1)])
		}
		steps = append(steps, step)
	}
	return steps
}

// checkEpoch compares every slice, asked for in a random order, with the reference, and checks the invariants.
func checkEpoch(t *testing.T, p Plan, epoch int, asked *rand.Rand) {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	want := reference(p, epoch)
	if got := p.StepsPerEpoch(); got != len(want) {
		t.Fatalf("%+v: %d steps an epoch, want %d", p, got, len(want))
	}
	o := p.Epoch(epoch)
	var dst []int
	for _, i := range asked.Perm(len(want) * p.Micro) {
		step, m := i/p.Micro, i%p.Micro
		dst = o.Slice(dst, step, m)
		if !slices.Equal(dst, want[step][m]) {
			t.Fatalf("%+v epoch %d step %d micro-batch %d: %v, want %v", p, epoch, step, m, dst, want[step][m])
		}
		if alone := p.Epoch(epoch).Slice(nil, step, m); !slices.Equal(alone, dst) {
			t.Fatalf("%+v epoch %d step %d micro-batch %d: computed alone %v, with others %v", p, epoch, step, m, alone, dst)
		}
	}
	checkInvariants(t, p, want)
}

func checkInvariants(t *testing.T, p Plan, steps [][][]int) {
	t.Helper()
	var all []int
	largest, segments := 0, make([]int, p.Micro)
	least, most := make([]int, p.Micro), make([]int, p.Micro)
	for s, step := range steps {
		records := 0
		for m, slice := range step {
			n := len(slice)
			all = append(all, slice...)
			records += n
			segments[m] += n
			largest, most[m] = max(largest, n), max(most[m], n)
			if s == 0 || n < least[m] {
				least[m] = n
			}
		}
		if records == 0 {
			t.Fatalf("%+v: step %d has no record", p, s)
		}
	}
	slices.Sort(all)
	for i, r := range all {
		if i != r {
			t.Fatalf("%+v: sorted, the epoch's record %d is %d", p, i, r)
		}
	}
	if len(all) != p.Records {
		t.Fatalf("%+v: an epoch has %d records", p, len(all))
	}
	if largest != p.MaxRows() {
		t.Fatalf("%+v: MaxRows %d, the largest slice has %d", p, p.MaxRows(), largest)
	}
	if slices.Max(segments)-slices.Min(segments) > 1 {
		t.Fatalf("%+v: segments of %v records", p, segments)
	}
	for m := range most {
		if most[m]-least[m] > 1 {
			t.Fatalf("%+v: slices of segment %d have %d to %d records", p, m, least[m], most[m])
		}
	}
}

func TestEveryRecordOnceForAnyPlan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		p := Plan{Records: 1 + r.IntN(400), ShardRecords: 1 + r.IntN(90), Micro: 1 + r.IntN(9),
			Seed: r.Uint64(), Shuffle: r.IntN(4) > 0}
		p.Batch = p.Micro + r.IntN(60)
		checkEpoch(t, p, r.IntN(1000), r)
	}
}

func FuzzEpoch(f *testing.F) {
	f.Add(uint16(22), uint16(5), uint8(3), uint8(5), uint16(0), uint64(1), true)
	f.Add(uint16(1), uint16(1), uint8(8), uint8(0), uint16(9), uint64(0), true)
	f.Add(uint16(300), uint16(512), uint8(7), uint8(1), uint16(3), uint64(7), false)
	f.Fuzz(func(t *testing.T, records, shardRecords uint16, micro, more uint8, epoch uint16, seed uint64, shuffle bool) {
		p := Plan{Records: 1 + int(records)%1000, ShardRecords: 1 + int(shardRecords), Micro: 1 + int(micro)%32, Seed: seed, Shuffle: shuffle}
		p.Batch = p.Micro + int(more)
		checkEpoch(t, p, int(epoch), rand.New(rand.NewPCG(seed, 0)))
	})
}

// The numbers of the package's documentation.
func TestDocumentedEpoch(t *testing.T) {
	o := Plan{Records: 22, ShardRecords: 5, Micro: 3, Batch: 8, Seed: 1, Shuffle: true}.Epoch(0)
	want := [][][]int{
		{{2, 4}, {7, 8}, {17, 21, 20}},
		{{1, 0}, {9, 19, 15}, {11, 12, 14}},
		{{3, 6, 5}, {18, 16}, {13, 10}},
	}
	for step := range 3 {
		for m := range 3 {
			if got := o.Slice(nil, step, m); !slices.Equal(got, want[step][m]) {
				t.Errorf("step %d, micro-batch %d: %v, want %v", step, m, got, want[step][m])
			}
		}
	}
}

// The order is part of every result: these sums may never change.
func TestOrderGoldens(t *testing.T) {
	for _, c := range []struct {
		plan  Plan
		epoch int
		want  uint32
	}{
		{Plan{Records: 1, ShardRecords: 256, Micro: 1, Batch: 1, Seed: 0, Shuffle: true}, 0, 0x2144df1c},
		{Plan{Records: 1437, ShardRecords: 256, Micro: 4, Batch: 32, Seed: 42, Shuffle: true}, 0, 0x6052b66f},
		{Plan{Records: 1437, ShardRecords: 256, Micro: 4, Batch: 32, Seed: 42, Shuffle: true}, 1, 0xd0cb7aba},
		{Plan{Records: 60000, ShardRecords: 256, Micro: 8, Batch: 256, Seed: 42, Shuffle: true}, 9, 0x46989809},
		{Plan{Records: 60000, ShardRecords: 1, Micro: 8, Batch: 256, Seed: 1 << 63, Shuffle: true}, 9, 0xcf840116},
		{Plan{Records: 1000, ShardRecords: 256, Micro: 8, Batch: 24, Seed: 42}, 3, 0x24ac54e6},
	} {
		o := c.plan.Epoch(c.epoch)
		var b []byte
		var dst []int
		for step := range c.plan.StepsPerEpoch() {
			for m := range c.plan.Micro {
				dst = o.Slice(dst, step, m)
				for _, r := range dst {
					b = binary.LittleEndian.AppendUint32(b, uint32(r))
				}
			}
		}
		if got := crc32.ChecksumIEEE(b); got != c.want {
			t.Errorf("%+v epoch %d: order has CRC %#08x, want %#08x", c.plan, c.epoch, got, c.want)
		}
	}
}

// Where the segments are equally long, so are the steps, but for one record.
func TestStepsAreEven(t *testing.T) {
	for _, p := range []Plan{
		{Records: 100, ShardRecords: 10, Micro: 5, Batch: 12, Shuffle: true},
		{Records: 60000, ShardRecords: 256, Micro: 8, Batch: 128, Shuffle: true},
		{Records: 64, ShardRecords: 7, Micro: 8, Batch: 10},
	} {
		o := p.Epoch(0)
		lo, hi, sum := p.Records, 0, 0
		for step := range p.StepsPerEpoch() {
			n := o.Rows(step)
			lo, hi, sum = min(lo, n), max(hi, n), sum+n
		}
		if hi-lo > 1 || hi > p.Batch || sum != p.Records {
			t.Errorf("%+v: steps of %d to %d records, %d in all", p, lo, hi, sum)
		}
	}
}

func TestOrdersDiffer(t *testing.T) {
	p := Plan{Records: 100, ShardRecords: 10, Micro: 1, Batch: 100, Seed: 1, Shuffle: true}
	q := p
	q.Seed = 2
	a, b, c := p.Epoch(0).Slice(nil, 0, 0), p.Epoch(1).Slice(nil, 0, 0), q.Epoch(0).Slice(nil, 0, 0)
	if slices.Equal(a, b) || slices.Equal(a, c) || slices.Equal(b, c) {
		t.Fatal("two epochs or two seeds have the same order")
	}
}

func TestOrderIsSafeForConcurrentUse(t *testing.T) {
	p := Plan{Records: 2000, ShardRecords: 7, Micro: 4, Batch: 40, Seed: 3, Shuffle: true}
	want := reference(p, 2)
	o := p.Epoch(2)
	var wg sync.WaitGroup
	for m := range p.Micro {
		wg.Go(func() {
			var dst []int
			for step := range want {
				dst = o.Slice(dst, step, m)
				if !slices.Equal(dst, want[step][m]) {
					t.Errorf("step %d, micro-batch %d: %v, want %v", step, m, dst, want[step][m])
				}
			}
		})
	}
	wg.Wait()
}

func TestSliceAllocatesNothingWhenWarm(t *testing.T) {
	p := Plan{Records: 60000, ShardRecords: 256, Micro: 8, Batch: 256, Seed: 3, Shuffle: true}
	o := p.Epoch(0)
	dst := make([]int, 0, p.MaxRows())
	step := 0
	next := func() {
		for m := range p.Micro {
			dst = o.Slice(dst, step, m)
		}
		step++
	}
	for step < 60 {
		next()
	}
	if n := testing.AllocsPerRun(150, next); n > 0 {
		t.Fatalf("%v allocations a step", n)
	}
}

func TestValidate(t *testing.T) {
	good := Plan{Records: 10, ShardRecords: 3, Micro: 2, Batch: 4}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Plan){
		"no records":            func(p *Plan) { p.Records = 0 },
		"too many records":      func(p *Plan) { p.Records = maxCount + 1 },
		"shards of no record":   func(p *Plan) { p.ShardRecords = 0 },
		"no micro-batch":        func(p *Plan) { p.Micro = 0 },
		"negative batch":        func(p *Plan) { p.Batch = -1 },
		"more parts than batch": func(p *Plan) { p.Micro = 5 },
	} {
		p := good
		change(&p)
		if p.Validate() == nil {
			t.Errorf("%s: no error for %+v", name, p)
		}
	}
}

func TestPanicsOnProgrammerErrors(t *testing.T) {
	p := Plan{Records: 10, ShardRecords: 3, Micro: 2, Batch: 4}
	o := p.Epoch(0)
	for name, f := range map[string]func(){
		"plan":        func() { Plan{}.Epoch(0) },
		"epoch":       func() { p.Epoch(-1) },
		"step":        func() { o.Slice(nil, 3, 0) },
		"micro-batch": func() { o.Slice(nil, 0, 2) },
		"rows":        func() { Range{0, 3}.Rows(0) },
		"eval":        func() { Eval(3, 0) },
		"assign":      func() { Assign(0, []float64{1}) },
		"nobody":      func() { Assign(4, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestLocate(t *testing.T) {
	for _, c := range []struct {
		step    uint64
		per     int
		epoch   int
		inEpoch int
	}{{0, 3, 0, 0}, {2, 3, 0, 2}, {3, 3, 1, 0}, {10, 3, 3, 1}, {7, 1, 7, 0}} {
		if e, s := Locate(c.step, c.per); e != c.epoch || s != c.inEpoch {
			t.Errorf("Locate(%d, %d) = %d, %d, want %d, %d", c.step, c.per, e, s, c.epoch, c.inEpoch)
		}
	}
}

func BenchmarkSlice(b *testing.B) {
	p := Plan{Records: 60000, ShardRecords: 256, Micro: 8, Batch: 256, Seed: 3, Shuffle: true}
	b.ReportAllocs()
	o := p.Epoch(0)
	var dst []int
	for i := 0; b.Loop(); i++ {
		dst = o.Slice(dst, i/8%p.StepsPerEpoch(), i%8)
	}
}

func ExamplePlan() {
	p := Plan{Records: 10, ShardRecords: 4, Micro: 2, Batch: 4}
	o := p.Epoch(0)
	for step := range p.StepsPerEpoch() {
		fmt.Println("step", step, o.Slice(nil, step, 0), o.Slice(nil, step, 1))
	}
	// Output:
	// step 0 [0] [5 6]
	// step 1 [1 2] [7]
	// step 2 [3 4] [8 9]
}
