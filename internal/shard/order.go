package shard

import (
	"fmt"
	"sync"

	"lockstep/internal/rng"
)

// Order is the record order of one epoch. It is safe for concurrent use.
//
// It keeps the permutation of the shards and the permutations inside the shards that were read last, about two for
// each segment; one that was forgotten is computed again, to the same numbers.
type Order struct {
	plan   Plan
	epoch  uint64
	shards []int32 // shards in the order of the epoch; nil without shuffling
	short  int     // where the last shard, the only one that may be short, stands in shards

	mu     sync.Mutex
	inside map[int32][]int // shard -> order of its records, counted from the shard's first
	oldest []int32         // keys of inside, the one computed first at position next once it is full
	next   int
}

// Epoch returns the order of epoch e. It panics if the plan is not valid or e is negative.
func (p Plan) Epoch(e int) *Order {
	if err := p.Validate(); err != nil {
		panic(err)
	}
	if e < 0 {
		panic(fmt.Sprintf("shard: epoch %d", e))
	}
	o := &Order{plan: p, epoch: uint64(e)}
	if !p.Shuffle {
		return o
	}
	n := p.Shards()
	perm := make([]int, n)
	s := rng.New(p.Seed, rng.ShardOrder, o.epoch, 0, 0)
	s.Perm(perm)
	o.shards = make([]int32, n)
	for i, v := range perm {
		o.shards[i] = int32(v)
		if v == n-1 {
			o.short = i
		}
	}
	o.inside = make(map[int32][]int)
	o.oldest = make([]int32, 0, min(n, 2*p.Micro+2))
	return o
}

// Segment returns the positions in the epoch's order that are segment m's.
func (o *Order) Segment(m int) Range { return bounds(m, o.plan.Records, o.plan.Micro) }

// Slice returns the record numbers of micro-batch m of the epoch's given step, in order. It overwrites dst and returns
// it, grown if it was too small: at most MaxRows numbers, perhaps none. It panics if step or m is out of range.
func (o *Order) Slice(dst []int, step, m int) []int {
	part := o.slice(step, m)
	return o.records(dst[:0], part.From, part.To)
}

// Rows returns the number of records of a step, over all of its micro-batches. The steps of an epoch differ by few.
func (o *Order) Rows(step int) int {
	n := 0
	for m := range o.plan.Micro {
		n += o.slice(step, m).Len()
	}
	return n
}

// slice returns the positions in the epoch's order of micro-batch m of a step: slice t of a segment of L records is
// [floor(t*L/S + m/M), floor((t+1)*L/S + m/M)). The m/M keeps the segments from being rounded all at the same steps:
// where they are equally long, the steps' sizes differ by at most one (Hermite's identity).
func (o *Order) slice(step, m int) Range {
	M, S := o.plan.Micro, o.plan.StepsPerEpoch()
	if step < 0 || step >= S || m < 0 || m >= M {
		panic(fmt.Sprintf("shard: step %d of %d, micro-batch %d of %d", step, S, m, M))
	}
	seg := o.Segment(m)
	cut := func(t int) int { return seg.From + (t*seg.Len()*M+m*S)/(S*M) }
	return Range{From: cut(step), To: cut(step + 1)}
}

// records appends the records at positions [from, to) of the epoch's order.
func (o *Order) records(dst []int, from, to int) []int {
	if o.shards == nil {
		for p := range to - from {
			dst = append(dst, from+p)
		}
		return dst
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for from < to {
		shard, at := o.find(from)
		perm := o.permutation(shard)
		n := min(to-from, len(perm)-at)
		first := int(shard) * o.plan.ShardRecords
		for _, r := range perm[at : at+n] {
			dst = append(dst, first+r)
		}
		from += n
	}
	return dst
}

// find returns the shard at a position of the epoch's order, and the position inside it.
func (o *Order) find(pos int) (shard int32, at int) {
	size := o.plan.ShardRecords
	i := pos / size
	if i > o.short || i == o.short && pos-i*size >= o.size(o.shards[i]) {
		// Behind the short shard: count as if it had its full size.
		pos += size - o.size(o.shards[o.short])
		i = pos / size
	}
	return o.shards[i], pos - i*size
}

// size returns the number of records of a shard.
func (o *Order) size(shard int32) int {
	return min(o.plan.ShardRecords, o.plan.Records-int(shard)*o.plan.ShardRecords)
}

// permutation returns the order of a shard's records, counted from the shard's first.
//
// REQUIRES: o.mu
func (o *Order) permutation(shard int32) []int {
	if perm, ok := o.inside[shard]; ok {
		return perm
	}
	var perm []int
	if len(o.oldest) < cap(o.oldest) {
		perm = make([]int, min(o.plan.ShardRecords, o.plan.Records))
		o.oldest = append(o.oldest, shard)
	} else {
		gone := o.oldest[o.next]
		perm = o.inside[gone]
		delete(o.inside, gone)
		o.oldest[o.next] = shard
		o.next = (o.next + 1) % len(o.oldest)
	}
	perm = perm[:o.size(shard)]
	s := rng.New(o.plan.Seed, rng.RecordOrder, o.epoch, uint64(shard), 0)
	s.Perm(perm)
	o.inside[shard] = perm
	return perm
}
